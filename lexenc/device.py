"""Devices and precision."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of malloc.h
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Device:
    """A device of this machine, with the precision to use on it.

    Args:
        name: `cpu`, `cuda:N` or `mps`.
        precision: Arithmetic of the encoder. `float32` is exact.
        sentence: What was chosen, for the user.
    """

    name: str
    precision: Precision
    sentence: str

    @property
    def torch(self) -> torch.device:
        """The device as an object of PyTorch."""
        import torch

        return torch.device(self.name)

    @property
    def dtype(self) -> Any:
        """The precision as an object of PyTorch."""
        import torch

        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.precision]


CPU = Device("cpu", "float32", "Runs on the processor (cpu), float32.")


def check_device_name(name: str) -> None:
    """Check the name of a device.

    Raises:
        ConfigError: If it is not `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
    """
    head, colon, number = name.partition(":")
    if name in ("auto", "cpu", "cuda", "mps") or (head == "cuda" and colon and number.isdecimal()):
        return
    raise ConfigError(f"There is no device called '{name}'.", hint="Use auto, cpu, cuda, cuda:1 or mps.")


def choose_device(name: str = "auto", precision: Precision = "float32") -> Device:
    """Return the device that a name refers to on this machine.

    Args:
        name: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: `float32`, `bfloat16` or `float16`.

    Raises:
        ConfigError: If this machine has no such device, or the device cannot compute with the precision.
    """
    import torch

    check_device_name(name)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    metal = torch.backends.mps.is_available()
    if name == "auto":
        chosen = "cuda:0" if count else "mps" if metal else "cpu"
    else:
        chosen = "cuda:0" if name == "cuda" else name
    if chosen.startswith("cuda:") and int(chosen[5:]) >= count:
        have = "none" if not count else f"{count} (cuda:0" + (f" to cuda:{count - 1})" if count > 1 else ")")
        hint = "Use --device cuda:0 or --device auto." if count else "Use --device cpu or --device auto."
        raise ConfigError(f"No CUDA device {chosen[5:]}; this machine has {have}.", hint=hint)
    if chosen == "mps" and not metal:
        raise ConfigError("This machine has no Metal device (mps).", hint="Use --device cpu or --device auto.")
    if precision == "float16" and chosen == "cpu":
        raise ConfigError("The processor does not compute in float16.", hint="Use --precision bfloat16 or float32.")
    return Device(chosen, precision, _sentence(chosen, precision, name, count))


def _sentence(chosen: str, precision: str, asked: str, count: int) -> str:
    import torch

    if chosen == "cpu":
        threads = torch.get_num_threads()
        text = f"Runs on the processor (cpu, {threads} thread{'s' if threads > 1 else ''}), {precision}."
        if precision == "bfloat16" and has_bfloat16() is False:
            text += " It has no bfloat16 instructions: --precision float32 is faster."
        if asked == "cpu" and count:
            text += " A GPU is idle: --device cuda:0 uses it."
        return text
    label = torch.cuda.get_device_name(int(chosen[5:])) if chosen.startswith("cuda:") else "Metal"
    return f"Runs on {chosen} ({label}), {precision}."


def has_bfloat16() -> bool | None:
    """Return whether the processor multiplies matrices in bfloat16, or None if PyTorch does not know."""
    import torch

    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if known.get("architecture") != "x86_64":
        return None
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def keep_freed_memory() -> None:
    """Let the GNU C library keep large freed blocks for the next training step.

    By default it returns them to the system, which must then clear some hundred megabytes of pages for every step: a
    tenth of the time in float32 (measured). Has no effect with other C libraries.
    """
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
        adjust(option, (1 << 31) - 1)


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1

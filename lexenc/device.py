"""Where the numbers are computed, and how precisely."""

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
    """A device that exists, with the precision to use on it.

    Args:
        name: `cpu`, `cuda:N` or `mps`.
        precision: Arithmetic of the encoder; `float32` is exact.
        sentence: One sentence for the user on what was chosen.
    """

    name: str
    precision: Precision
    sentence: str

    @property
    def torch(self) -> torch.device:
        """The same as PyTorch's own object."""
        import torch

        return torch.device(self.name)

    @property
    def dtype(self) -> Any:
        """The precision as PyTorch's own object."""
        import torch

        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.precision]


CPU = Device("cpu", "float32", "Runs on the processor (cpu), float32.")


def check_device_name(name: str) -> None:
    """Refuse a name that no machine could have.

    Raises:
        ConfigError: If the name is not `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
    """
    head, colon, number = name.partition(":")
    if name in ("auto", "cpu", "cuda", "mps") or (head == "cuda" and colon and number.isdecimal()):
        return
    raise ConfigError(f"There is no device called '{name}'.", hint="Use auto, cpu, cuda, cuda:1 or mps.")


def choose_device(name: str = "auto", precision: Precision = "float32") -> Device:
    """Find the device that a name means on this machine.

    Args:
        name: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:N` or `mps`.
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
    """Say what was chosen, and whether something faster lies idle."""
    import torch

    if chosen == "cpu":
        text = f"Runs on the processor (cpu, {torch.get_num_threads()} threads), {precision}."
        if precision == "bfloat16" and has_bfloat16() is False:
            text += " It has no instructions for bfloat16: --precision float32 is faster."
        if asked == "cpu" and count:
            text += " A GPU is idle: --device cuda:0 uses it."
        return text
    label = torch.cuda.get_device_name(int(chosen[5:])) if chosen.startswith("cuda:") else "Metal"
    return f"Runs on {chosen} ({label}), {precision}."


def has_bfloat16() -> bool | None:
    """Tell whether the processor multiplies matrices in bfloat16; None where PyTorch cannot say."""
    import torch

    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if known.get("architecture") != "x86_64":
        return None
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def keep_freed_memory() -> None:
    """Have the GNU C library keep large blocks that were freed, for the next step to take.

    By default they go back to the system, and every training step then pays for having some hundred megabytes of pages
    handed out and zeroed again: a tenth of its time in float32 (measured). Elsewhere nothing changes.
    """
    try:
        adjust = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
        adjust(option, (1 << 31) - 1)


def cores() -> int:
    """Count the processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1

"""From the words a user types to the folder that holds an encoder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import ConfigError, WorkError, unknown_name
from lexenc.resources import BUNDLED_ENCODERS, bundled_folder

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?\Z")
# What a model may bring along: never code, never pickles.
_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.bpe", "*.vocab"]
_KNOWN_OFFLINE = "With no network, use a folder, or the bundled 'mini'."


@dataclass(frozen=True)
class Located:
    """A place that exists.

    Args:
        path: File or folder.
        revision: Commit of the model, where it came from a hub.
    """

    path: Path
    revision: str | None


def locate_encoder(name: str) -> Located:
    """Find an encoder: a folder, a bundled name, or a name on the Hugging Face hub.

    Args:
        name: The user's words. A folder that exists comes first, then bundled names, then the hub.

    Raises:
        ConfigError: If there is no such encoder.
        WorkError: If the hub cannot be reached and holds no copy here.
    """
    path = Path(name)
    if path.is_dir():
        return Located(path, None)
    if path.is_file():
        raise ConfigError(f"The encoder {name} is a file, expected a folder or a name.", hint="Give the folder.")
    if name in BUNDLED_ENCODERS:
        return Located(bundled_folder(name), None)
    # One typo away from a bundled name is far likelier than a model of that name; so is a path that is not there.
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or not _HUB_NAME.match(name)
    if looks_like_path:
        raise ConfigError(f"The encoder is not there: {name}", hint="Check the path, or use a hub name or 'mini'.")
    return _from_hub(name)


def _from_hub(name: str) -> Located:
    """Fetch a model (or find the copy here); its revision is the name of its snapshot."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        folder = Path(snapshot_download(name, allow_patterns=_WANTED))
    except GatedRepoError:
        raise WorkError(f"The encoder {name} asks for permission on the hub.", hint="hf auth login") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise _unknown(name) from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        if "/" not in name:
            raise _unknown(name) from None
        reason = type(error).__name__
        raise WorkError(
            f"The encoder {name} is not here and the hub did not answer ({reason}).", hint=_KNOWN_OFFLINE
        ) from None
    return Located(folder, folder.name)


def _unknown(name: str) -> ConfigError:
    """Say that a name is neither a folder nor bundled nor on the hub."""
    fault = unknown_name("encoder", name, BUNDLED_ENCODERS)
    if fault.hint and fault.hint.startswith("Did"):
        return fault
    return ConfigError(
        f"There is no encoder called '{name}': no folder, not bundled, not on the hub.",
        hint=f"Bundled: {', '.join(BUNDLED_ENCODERS)}. Hub names look like sentence-transformers/LaBSE.",
    )

"""From the name of an encoder to its folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from lexenc.errors import ConfigError, WorkError
from lexenc.resources import BUNDLED_ENCODERS, PREFIX, bundled_folder

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?\Z")
# Files to download: never code, never pickles.
_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.bpe", "*.vocab"]


@dataclass(frozen=True)
class Located:
    """An encoder that exists.

    Args:
        path: Its folder.
        revision: Commit of the model, if it is from the hub.
    """

    path: Path
    revision: str | None


def locate_encoder(name: str) -> Located:
    """Find an encoder: a folder, a bundled name, or a name on the Hugging Face hub.

    Args:
        name: Folder or name. An existing folder has priority, then bundled names, then the hub.

    Raises:
        ConfigError: If there is no such encoder.
        WorkError: If the hub cannot be reached and there is no local copy.
    """
    path = Path(name)
    if path.is_dir():
        return Located(path, None)
    if path.is_file():
        raise ConfigError(f"The encoder {name} is a file, expected a folder or a name.", hint="Give the folder.")
    if name.removeprefix(PREFIX) in BUNDLED_ENCODERS:
        return Located(bundled_folder(name.removeprefix(PREFIX)), None)
    if name.startswith((".", "/", "~")) or not _HUB_NAME.match(name) or ("/" in name and path.parent.is_dir()):
        meant = _meant(name)
        hint = f"Did you mean '{meant}'?" if meant else "Check the path, or use a hub name or 'mini'."
        raise ConfigError(f"The encoder is not there: {name}", hint=hint)
    return _from_hub(name)


def _meant(name: str) -> Path | None:
    """Return the existing folder that is most similar to a path, if any."""
    path = Path(name)
    place = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        if (place / part).is_dir():
            place /= part
            continue
        try:
            close = get_close_matches(part, (each.name for each in place.iterdir() if each.is_dir()), n=1)
        except OSError:
            return None
        if not close:
            return None
        place /= close[0]
    return place


def _from_hub(name: str) -> Located:
    """Download a model, or find the local copy; its revision is the name of the snapshot."""
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=_WANTED))
    except errors.GatedRepoError:
        raise WorkError(f"The encoder {name} asks for permission on the hub.", hint="hf auth login") from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise _unknown(name) from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError) as error:
        if "/" not in name or _meant(name):
            raise _unknown(name) from None
        raise WorkError(
            f"The encoder {name} is not here and the hub did not answer ({type(error).__name__}).",
            hint="Without a network, use a folder, or the bundled 'mini'.",
        ) from None
    return Located(folder, folder.name)


def _unknown(name: str) -> ConfigError:
    close = get_close_matches(name, BUNDLED_ENCODERS, n=1)
    meant = close[0] if close else _meant(name)
    if meant:
        return ConfigError(f"There is no encoder called '{name}'.", hint=f"Did you mean '{meant}'?")
    return ConfigError(
        f"There is no encoder called '{name}': no folder, not bundled, not on the hub.",
        hint=f"Bundled: {', '.join(BUNDLED_ENCODERS)}. Hub names look like sentence-transformers/LaBSE.",
    )

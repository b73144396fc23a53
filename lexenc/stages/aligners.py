"""What aligns sentence pairs part by part: encoders, static vectors, span models, and other programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lexenc.errors import ConfigError

if TYPE_CHECKING:
    from lexenc.alignment.links import Links
    from lexenc.stage import Job
    from lexenc.stages.align import AlignParams
    from lexenc.stages.aligned_files import WordPairs


class Aligner(Protocol):
    """Links the words of sentence pairs."""

    def align(self, pairs: WordPairs) -> Links:
        """Give the links of every pair, in order."""

    def remarks(self) -> dict[str, Any]:
        """Give counts of what was unusual so far."""


def open_aligner(inputs: Mapping[str, Any], params: AlignParams, job: Job) -> Aligner:
    """Open what the parameters name."""
    raise ConfigError("Not yet.")

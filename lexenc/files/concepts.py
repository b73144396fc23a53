"""Names of concepts: `CUI||name` of a knowledge base, `CUI|CUI||mention` of a test set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexenc.errors import DataError
from lexenc.files.text import read_lines


@dataclass(frozen=True)
class ConceptName:
    """A name and the concepts that it may stand for.

    Args:
        concepts: Identifiers; several where the data set could not decide.
        text: The name, whole: neither `+` nor a single `|` in it means anything.
        context: The sentence around it, where the file gives one.
    """

    concepts: tuple[str, ...]
    text: str
    context: str = ""

    def shares(self, other: ConceptName) -> bool:
        """Tell whether two names have a concept in common."""
        return not set(self.concepts).isdisjoint(other.concepts)


def read_concept_names(path: Path) -> list[ConceptName]:
    """Read a knowledge base or mentions (SapBERT's and XL-BEL's formats), line by line; repeated lines stay.

    Raises:
        DataError: If a line has no identifier or no name.
    """
    names = []
    for number, line in read_lines(path):
        if not line.strip():
            continue
        fields = [field.strip(" ") for field in line.split("||")]
        if len(fields) < 2 or not fields[0] or not fields[1]:
            raise DataError(f"{path}, line {number}: not an identifier and a name.", hint="Write C0032821||potassium.")
        concepts = tuple(identifier for identifier in fields[0].split("|") if identifier)
        names.append(ConceptName(concepts, fields[1], "||".join(fields[2:])))
    if not names:
        raise DataError(f"{path} holds no names.", hint="One per line: C0032821||potassium.")
    return names

"""Model cards: what an encoder is and where it came from, as hubs and people read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lexenc.artifact import CARD


def write_card(folder: Path, text: str) -> None:
    """Write the card of an encoder. Bytes of file names that are not UTF-8 are escaped."""
    (folder / CARD).write_text(text, encoding="utf-8", errors="backslashreplace")


def model_card(
    name: str,
    paragraphs: Sequence[str],
    *,
    languages: Sequence[str] = (),
    licence: str | None = None,
    library: str = "sentence-transformers",
) -> str:
    """Write the card of an encoder.

    Args:
        name: Title.
        paragraphs: What it is, one paragraph each.
        languages: BCP-47 codes.
        licence: SPDX name.
        library: Library that loads it: `sentence-transformers`, or `lexenc`.
    """
    head = ["---", f"library_name: {library}", "pipeline_tag: sentence-similarity"]
    if languages:
        head += ["language:", *(f"- '{code}'" for code in languages)]
    if licence:
        head.append(f"license: {licence.lower()}")
    use = (
        "from sentence_transformers import SentenceTransformer\n\n"
        f"vectors = SentenceTransformer('{name}').encode(words)"
    )
    language = "python"
    if library == "lexenc":
        paragraphs = [
            *paragraphs,
            "Only lexenc can load it: sentence-transformers and transformers have no such model.",
        ]
        language, use = "bash", f"lexenc encode words.txt --encoder {name} --out vectors"
    body = "\n\n".join(paragraphs)
    return "\n".join([*head, "---", "", f"# {name}", "", body, "", f"```{language}", use, "```", ""])

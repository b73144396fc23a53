"""translate: words in, tab-separated answers out."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from lexenc.encoders.locate import locate_encoder
from lexenc.errors import ConfigError, DataError
from lexenc.files.text import read_lines, stream_lines
from lexenc.parameters import checked_choice
from lexenc.resources import bundled_path
from lexenc.search import RETRIEVAL
from lexenc.stage import Job
from lexenc.stages.lexical.translate import Translator
from lexenc.text.folding import Folding, UnicodeForm, check_language, trim

from ..options import Debug, Device
from ..piped_inputs import opened_stream
from ..stage_command import completion
from ..ui import View, answer_out, json_line, table_line

_PIPED = "It is a file of words. For a single word: echo {} | lexenc translate --vectors {} -"


def translate_command(
    vectors: Annotated[str, typer.Option(help="Shared space: a folder of map or interpolate.", metavar="PATH")],
    words: Annotated[
        str, typer.Argument(help="File with one word per line, or - for standard input.", metavar="WORDS")
    ] = "-",
    top: Annotated[int, typer.Option(help="Answers per word.", min=1, metavar="NUMBER")] = 5,
    asks: Annotated[
        str,
        typer.Option("--from", help="Language of the words: source, target, or a name in a hub.", metavar="NAME"),
    ] = "source",
    answers: Annotated[
        str,
        typer.Option("--to", help="Language of the answers, likewise; the same lists neighbours.", metavar="NAME"),
    ] = "target",
    retrieval: Annotated[
        str,
        typer.Option(
            help=f"How answers are ranked. One of: {', '.join(RETRIEVAL)}.",
            metavar="CHOICE",
            autocompletion=completion(RETRIEVAL),
        ),
    ] = "nearest",
    encoder: Annotated[
        str | None,
        typer.Option(help="Encoder for words that are not in the space: the one it was blended with.", metavar="ENC"),
    ] = None,
    subwords: Annotated[
        str | None,
        typer.Option(
            help="fastText .bin for words that are not in the space: the one it was made from.",
            metavar="PATH",
        ),
    ] = None,
    lowercase: Annotated[bool, typer.Option(help="Lower-case the words first.")] = False,
    unicode: Annotated[
        UnicodeForm, typer.Option(help="Unicode normal form to bring the words to first.", metavar="[keep|nfc|nfkc]")
    ] = "keep",
    language: Annotated[
        str | None, typer.Option(help="Language code (BCP-47) of the words, for --lowercase.", metavar="TEXT")
    ] = None,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per answer.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print answers, warnings and errors only.")] = False,
    debug: Debug = False,
) -> None:
    r"""Print the source word, rank, target word and score of each answer, separated by tabs.

    \b
    Examples:
      $ lexenc translate --vectors runs/blended --top 5 words.txt
      $ echo drucken | lexenc translate --vectors runs/blended --from target \
          --to source -
      $ echo print | lexenc translate --vectors runs/blended --to source -
      $ echo unprintable | lexenc translate --vectors runs/mapped \
          --subwords model.bin -
      $ echo drucken | lexenc translate --vectors runs/hub --from de --to fr -
    """
    view = View(json=json, quiet=quiet)
    checked_choice(retrieval, RETRIEVAL, "--retrieval")
    if language is not None:
        check_language(language, "--language")
    # Check that everything is there before anything is loaded.
    folder = _place(vectors, "vectors", "Make it with lexenc map.")
    given = None if words == "-" else _place(words, "words", _PIPED.format(shlex.quote(words), shlex.quote(vectors)))
    model = None if subwords is None else _place(subwords, "subwords", "Check the path of --subwords.")
    found = locate_encoder(encoder).path if encoder else None
    if given is None and sys.stdin.isatty():
        raise ConfigError("translate waits for words, but standard input is a terminal.", hint="Give a file of words.")
    lines = _words(given, Folding(lowercase, unicode), language)
    with tempfile.TemporaryDirectory(prefix="lexenc-") as out:
        job = Job(Path(out), device_name=device, notices=view.notices())
        translator = Translator(
            folder, asks=asks, answers=answers, retrieval=retrieval, top=top, job=job, encoder=found, subwords=model
        )
        for answer in translator.ask(lines):
            if json:
                one = {"source": answer.source, "rank": answer.rank, "target": answer.target, "score": answer.score}
                answer_out(json_line(one))
            else:
                answer_out(table_line([answer.source, str(answer.rank), answer.target, f"{answer.score:.4f}"]))
    unknown = translator.unknown
    if unknown:
        shown = ", ".join(f"'{word}'" for word in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        count = "1 word is" if len(unknown) == 1 else f"{len(unknown):,} words are"
        hint = (
            "--subwords MODEL.bin makes their vectors in a space mapped from MODEL.bin, and --encoder ENC in a space "
            "blended with ENC. --lowercase ignores case, --unicode nfc the Unicode form."
        )
        view.notices().warn(f"{count} not among the {asks} vectors: {shown}.", hint)


def _place(given: str, name: str, hint: str) -> Path:
    path = bundled_path(given) or Path(given)
    if not path.exists():
        raise ConfigError(f"translate: input '{name}' is not there: {given}", hint=hint)
    return path


def _words(path: Path | None, folding: Folding, language: str | None) -> Iterator[str]:
    """Yield the words of a file or of standard input as they arrive."""
    found = False
    for _, line in _standard_input() if path is None else read_lines(path):
        word = trim(line)
        if word:
            found = True
            yield folding.fold(word, language)
    if not found:
        raise DataError(f"{'standard input' if path is None else path} contains no words.", hint="One word per line.")


def _standard_input() -> Iterator[tuple[int, str]]:
    with opened_stream("-") as stream:
        yield from stream_lines(stream)

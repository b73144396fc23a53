"""What results were made from, found in manifests, and evidence that is circular.

A test is circular if what is tested has seen the answers. Which answers count depends on the evaluation:

- `eval bli`, `eval xlsim`: a test pair is in a file of pairs that an encoder, a mapping or a projection was trained or
  selected on, in either order, or both its texts are names of one concept of training synonyms.
- `eval sts`, `eval retrieval`: the same for sentence pairs, of which only letters and digits count, as they may be
  tokenised. Single test sentences that are anywhere in the training text of an encoder are counted, and make no test
  unfair: language models are trained on everything.
- `eval xel`: a mention is a name of its own concept in training synonyms, or stands beside another name of it in
  training pairs. That a knowledge base is the training data is usual and no fault: `link` measures nothing.
- `eval alignment`: an aligner was trained or selected on gold links of the sentences. Training on the same sentences
  without gold links is common practice, as is a statistical aligner, and is information.
- `induce`: entries that the vectors were learned from are judged in vectors that are learned again without them, or
  the probabilities are called optimistic (`lexenc.lexical.evidence`).
- All of them: the test set itself was made from a file or by a model that the tested system was made from as well
  (`common_origins`), e.g. a lexicon from links of the corpus that the encoder was trained on. It then repeats what the
  system believes.
"""

from __future__ import annotations

import heapq
import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from lexenc.alignment import ALIGNERS
from lexenc.artifact import DigestStore, InputRecord, Manifest, maker_of, owner_of, recorded_param, unknown_origin
from lexenc.files.dictionaries import read_pairs, write_pairs
from lexenc.files.evaluations import UNFAIR
from lexenc.files.hubs import HubDictionaries, read_hub
from lexenc.files.nli import NliRow, is_scored
from lexenc.files.parallel import parallel_text
from lexenc.files.synonyms import read_synonyms
from lexenc.files.text import counted, read_lines
from lexenc.lexical.evidence import LearnedWords
from lexenc.lexical.hub import composed
from lexenc.stage import GivenSource, Job
from lexenc.stages.reading import read_cells
from lexenc.stages.sentences.sources import languages_of, nli_table, one_language_of_several, to_read
from lexenc.text.folding import SAME_TEXT, same_sentence

PAIRS = ("dictionary", "pairs", "train_dictionary", "dev")  # inputs with pairs that training or selection uses
SYNONYMS = ("synonyms",)
LINKS = ("alignments", "validation")  # of align-train
# Stages whose --source and --target are two line-aligned files that they learn from, and --data training data.
LEARN_TEXT = frozenset({"finetune", "train"})
# Inputs that say what to work on. Nothing is learned from their content.
ONLY_READ = frozenset({"words", "source_vocabulary", "target_vocabulary", "knowledge_base", "mentions", "calibration",
                       "headwords", "tag"})  # fmt: skip
ONLY_READ_BY = frozenset(
    {
        ("map", "validation"),
        ("new-encoder", "text"),
        ("pretrain", "dev"),
        ("pretrain", "pseudo_words"),
        ("trim-vocabulary", "text"),
        ("mine-bitext", "planted"),
        ("align-documents", "gold"),
    }
)
_Pair = tuple[str, str]
_SAMPLE = 1000  # sentences of a text that are looked up in another
_SHORT = 12  # letters from which on two equal sentences are no chance
_SAME_TEXT = 0.2  # share of common sentences that two texts of one origin have


@dataclass(frozen=True)
class Ancestor:
    """A file or a result that a result was made from.

    Args:
        folder: The result that was made from it.
        maker: How that result was made.
        name: Name of the input.
        record: What was given for it.
        tuned: Whether it was used for an encoder.
    """

    folder: Path
    maker: Manifest
    name: str
    record: InputRecord
    tuned: bool

    @property
    def given(self) -> str:
        """The text that the user typed."""
        return self.record.given

    @property
    def gap(self) -> str:
        """The remark that it cannot be read any more."""
        return f"{self.given}, on which {self.folder} was trained, is gone or has changed"

    def path(self, at_hand: Mapping[str, Path]) -> Path | None:
        """Return its path, or None if it is gone or has changed. A file at hand may be it under another name."""
        return at_hand.get(self.record.sha256) or unchanged(self.folder, self.record)


@dataclass(frozen=True)
class Unknown:
    """A result of which it is not known what it was made from, and a remark that says so."""

    folder: Path
    gap: str


def ancestors(
    folder: Path, *, dictionaries: bool = False, tuned: bool = False, below: frozenset[str] = frozenset()
) -> Iterator[Ancestor | Unknown]:
    """Follow manifests back from a result to all files and results that it was made from, the nearest first.

    Args:
        folder: The result, e.g. a space or an encoder.
        dictionaries: Whether to follow dictionaries too: to what they were made from. What they contain can be
            compared pair by pair, so that this is needed only for test sets.
        tuned: Whether the result is an encoder.
        below: Keys of the results that were made from this one. No result is made from itself.
    """
    maker = maker_of(folder)
    if maker is None or maker.key in below:
        gap = f"{folder} has no manifest that says what it was learnt from"
        yield Unknown(folder, unknown_origin(folder) or gap)
        return
    # With lambda 1 a blend is the encoder alone.
    encoder_only = maker.stage == "interpolate" and maker.params.get("lambda") == 1
    for name, record in ((name, record) for name, records in maker.inputs.items() for record in records):
        if name in ONLY_READ or (maker.stage, name) in ONLY_READ_BY or (encoder_only and name != "encoder"):
            continue
        yield Ancestor(folder, maker, name, record, tuned)
        within = owner_of(place_of(folder, record)) if record.made_by else None
        if within is None or (name in (*PAIRS, *SYNONYMS) and not dictionaries):
            continue
        later = maker_of(within)
        if later is not None and later.key != record.made_by:
            yield Unknown(within, f"{record.given}, from which {folder} was made, was replaced since")
        else:
            yield from ancestors(
                within,
                dictionaries=dictionaries,
                tuned=tuned or name in ("encoder", "teacher"),
                below=below | {maker.key},
            )


def place_of(folder: Path, record: InputRecord) -> Path:
    """Return the path of an input of a result when it was made."""
    return Path(os.path.normpath(folder.absolute().parent / record.path))


def unchanged(folder: Path, record: InputRecord) -> Path | None:
    """Return the path of an input of a result, or None if it is gone or has changed."""
    path = place_of(folder, record)
    same = path.exists() and DigestStore.default().of(path) == record.sha256
    return path if same else None


def unchecked(made: Iterable[Path], test: Path) -> list[str]:
    """Return why leaks cannot be checked, one sentence for each result of lexenc whose origin is unknown.

    Args:
        made: Paths of the tested spaces, vectors, encoders and links, which count with all that they were made from.
        test: The test set, which counts too.
    """
    places = dict[Path, None]()
    for path in (*made, test):
        places[path] = None
        for each in ancestors(owner_of(path) or path, dictionaries=path == test):
            learnt = isinstance(each, Ancestor) and (each.name not in (*PAIRS, *SYNONYMS) or path == test)
            if isinstance(each, Ancestor) and learnt and each.record.made_by:
                places[place_of(each.folder, each.record)] = None
    return [f"{why}: leaks are not checked." for why in dict.fromkeys(map(unknown_origin, places)) if why]


# ---------------------------------------------------------------- a common origin


def common_origins(made: Iterable[Path | None], test: Path) -> tuple[str, list[str]]:
    """Find what both a test set and the tested system were made from.

    Files and results are the same if their digests are, and texts if they share many sentences: a corpus may be one
    file for one stage and two for another. The test set itself does not count, even if the system was trained on it:
    its items are compared one by one. Nor do the origins of dictionaries that the system was trained on, since a
    lexicon may be split into training and test.

    Args:
        made: Paths of spaces, vectors and encoders. None stands for an optional input.
        test: The test set.

    Returns:
        A sentence, empty if there is no common origin; and a remark for each origin that is not known.
    """
    wanted, gaps = _origins_of(test)
    systems = list(filter(None, made)) if wanted else []
    shared, named = dict[str, None](), dict[str, None]()
    for path in systems:
        for place, identities in enumerate(_identities(path, gaps)):
            found = next((wanted[each] for each in identities if each in wanted), None)
            if found is not None and not place:
                return f"{test} was made with {found}, which is tested on it", gaps
            if found is not None:
                shared[found] = named[str(path)] = None
    if not shared:
        return next((found for path in systems if (found := _common_sentences(test, path))), ""), gaps
    listed = [*shared][:3] + ([f"{len(shared) - 3} more"] if len(shared) > 3 else [])
    return f"{test} was made from {', '.join(listed)}, and so was {' and '.join(named)}", gaps


def _origins_of(test: Path) -> tuple[dict[str, str], list[str]]:
    """Return the result that made a test set, and everything that it was made from, by digest and by key; and gaps."""
    home = owner_of(test)
    maker = maker_of(home) if home is not None else None
    if home is None or maker is None:
        return {}, []
    found, gaps = {maker.key: str(home)}, list[str]()
    for each in ancestors(home, dictionaries=True):
        if isinstance(each, Unknown):
            gaps.append(each.gap)
        else:
            for identity in filter(None, (each.record.sha256, each.record.made_by)):
                found.setdefault(identity, each.given)
    return found, gaps


def _identities(path: Path, gaps: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield the digests and keys of a path, and then of everything that it was made from."""
    folder = owner_of(path)
    maker = maker_of(folder) if folder is not None else None
    if folder is None or maker is None:
        yield (DigestStore.default().of(path),)
        return
    yield (maker.key,)
    for each in ancestors(folder):
        if isinstance(each, Unknown):
            gaps.append(each.gap)
        else:
            made_by = None if each.name in PAIRS else each.record.made_by
            yield tuple(filter(None, (each.record.sha256, made_by)))


def _common_sentences(test: Path, system: Path) -> str:
    """Return a sentence if many sentences of a text that a test set was made from are in one of the system's texts."""
    own = list(_texts(system))
    for each, path in _texts(test, dictionaries=True) if own else ():
        sample = set(heapq.nsmallest(_SAMPLE, _sentences(each, path), key=_checksum))
        for other, place in own if sample else ():
            share = len({text for text in _sentences(other, place) if text in sample}) / len(sample)
            if share >= _SAME_TEXT:
                return (
                    f"{test} was made from {each.given}, and {system} from {other.given}, which has "
                    f"{100 * share:.0f} % of its sentences"
                )
    return ""


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def _texts(path: Path, *, dictionaries: bool = False) -> Iterator[tuple[Ancestor, Path]]:
    """Yield the files with text that a path was made from."""
    folder = owner_of(path)
    for each in ancestors(folder, dictionaries=dictionaries) if folder is not None else ():
        if isinstance(each, Ancestor) and each.record.made_by is None:
            sides = ("source", "target") if each.maker.stage in ("align", "mine-bitext", *LEARN_TEXT) else ()
            text = each.name in ("pairs", "text", *sides) or (each.name == "data" and _has_text(each))
            place = unchanged(each.folder, each.record) if text else None
            if place is not None:
                yield each, place


def _sentences(each: Ancestor, path: Path) -> Iterator[str]:
    """Yield the sentences of a file, those of both sides, without case and spaces. Short ones may occur anywhere."""
    if each.name == "data" and GivenSource.labelled(each.record.name or "", path).kind != "unsupervised":
        texts = (side for pair in _read_source(each, path) for side in pair)
    elif each.name == "pairs":
        texts = (side for pair in _read_pairs_of(each.maker, [path]) for side in pair)
    else:
        texts = (line for _, line in read_lines(path))
    squeezed = ("".join(SAME_TEXT.fold(text).split()) for text in texts)
    return (text for text in squeezed if len(text) >= _SHORT)


# ---------------------------------------------------------------- items that were trained on


@dataclass
class Seen:
    """Distinct test pairs that were used for training, in which files, and what else makes the test unfair.

    Args:
        pairs: The pairs.
        files: Files that they were found in.
        gaps: A remark for each file that cannot be checked.
        origin: The sentence of `common_origins`.
        unchecked: The sentences of `unchecked`.
        sentences: Number of distinct test sentences in the training text, and of all. None if they were not looked for.
        text_files: Files that these sentences were found in.
        item: What a test item is called.
    """

    pairs: list[_Pair] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    origin: str = ""
    unchecked: list[str] = field(default_factory=list)
    sentences: tuple[int, int] | None = None
    text_files: list[str] = field(default_factory=list)
    item: str = "pair"

    @property
    def unfair(self) -> list[str]:
        """Why the scores are or may be too high, one sentence for each reason."""
        was = "was" if len(self.pairs) == 1 else "were"
        learnt = f"{counted(len(self.pairs), f'test {self.item}')} {was} learnt from" if self.pairs else ""
        return [*(f"{each}." for each in (learnt, self.origin) if each), *self.unchecked]

    @property
    def facts(self) -> dict[str, Any]:
        """What a result says of it, by JSON key."""
        alone = {} if self.sentences is None else {"sentences_learnt_from": self.sentences[0]}
        return {"pairs_learnt_from": len(self.pairs), **alone, UNFAIR: self.unfair}

    @property
    def note(self) -> str:
        """What stands below a table, since tables are copied without the warnings above them."""
        return unfair_note(self.unfair)


def unfair_note(reasons: Sequence[str]) -> str:
    """Return the reasons why a test is not fair as a note of a table; empty without one."""
    return f" NOT A FAIR TEST: {' '.join(reasons)}" if reasons else ""


def seen_pairs(
    made: Iterable[Path | None],
    test: Sequence[_Pair],
    test_file: Path,
    *,
    taught: Iterable[Path | None] = (),
) -> Seen:
    """Find test pairs that vectors or encoders were trained on, regardless of case and order of columns.

    Args:
        made: Paths of spaces, vectors and encoders. None stands for an optional input.
        test: Test pairs.
        test_file: Their file, which may be a training file under another name.
        taught: Dictionaries for the training to come. None stands for an optional input.
    """
    systems, own = list(filter(None, made)), list(filter(None, taught))
    folded = [SAME_TEXT.fold_pair(pair) for pair in test]
    found, seen, wanted = Seen(), set[_Pair](), set(folded)

    def learn(pairs: Iterable[_Pair], given: str) -> None:
        own = {one for pair in map(SAME_TEXT.fold_pair, pairs) for one in (pair, pair[::-1]) if one in wanted}
        seen.update(own)
        found.files += [given] if own else []

    for path in own:
        learn(read_pairs(path), path.name)
    for each, file in _training_files(systems, (*PAIRS, *SYNONYMS), [test_file, *own], found.gaps, known=own):
        synonyms = each.name in SYNONYMS
        learn(_synonymous(file, folded) if synonyms else _read_training_pairs(each, file), each.given)
    found.pairs = list(dict.fromkeys(pair for pair, one in zip(test, folded, strict=True) if one in seen))
    found.origin, gaps = common_origins(systems, test_file)
    found.gaps += gaps
    found.unchecked = unchecked(systems, test_file)
    return found


def seen_lines(
    made: Iterable[Path | None],
    tests: Sequence[tuple[Sequence[Path], Sequence[_Pair]]],
    *,
    learned: Mapping[str, Iterable[_Pair]] | None = None,
    item: str = "pair",
) -> list[Seen]:
    """Find the sentence pairs, and the single sentences, of some test sets that encoders were trained on.

    Only letters and digits of sentences are compared, in any case. A pair counts in either order. Single sentences
    count wherever they are in training text, alone or in a pair. Training data is read once for all test sets.

    Args:
        made: Paths of encoders and static vectors. None stands for an optional input.
        tests: Files and sentence pairs of every test set. Any of the files may be a training file under another name.
        learned: Pairs for the training to come, by the name of their source.
        item: What a test item is called. A single text is a pair whose second side is empty.
    """
    systems, gaps = list(filter(None, made)), list[str]()
    at_hand = [path for paths, _ in tests for path in paths]
    training = list(_training_files(systems, (*PAIRS, *SYNONYMS), at_hand, gaps, text=True))
    # Without training data nothing is folded, which takes memory and time.
    known = bool(training or learned)
    folded = [[same_sentence(pair) for pair in pairs] if known else [] for _, pairs in tests]
    pairs, texts = _Wanted[_Pair](), _Wanted[str]()
    for own in folded:
        pairs.asked.update(own)
        texts.asked.update(side for pair in own for side in pair if side)
    for each, path in training:
        for one, other in _learnt_lines(each, path, pairs.asked):
            if one and other:
                pairs.find(each.given, (one, other), (other, one))
            if each.name != "dev":
                texts.find(each.given, one, other)
    for name, examples in (learned or {}).items():
        for one, other in map(same_sentence, examples):
            pairs.find(name, (one, other), (other, one))
            texts.find(name, one, other)
    found = []
    for (paths, written), own in zip(tests, folded, strict=True):
        leaked = dict.fromkeys(pair for pair, form in zip(written, own, strict=known) if form in pairs.found)
        alone = {side for pair in own for side in pair if side}
        origins = [common_origins(systems, path) for path in paths]
        found.append(
            Seen(
                list(leaked),
                pairs.files_of(own),
                _distinct([*gaps, *(gap for _, own_gaps in origins for gap in own_gaps)]),
                next((origin for origin, _ in origins if origin), ""),
                _distinct(why for path in paths for why in unchecked(systems, path)),
                (len(alone & texts.found.keys()), len(alone)),
                texts.files_of(alone),
                item,
            )
        )
    return found


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


_Form = TypeVar("_Form", str, _Pair)


class _Wanted(Generic[_Form]):
    """Forms of test items, and the file in which each was found first."""

    def __init__(self) -> None:
        self.asked: set[_Form] = set()
        self.found: dict[_Form, str] = {}

    def find(self, given: str, *forms: _Form) -> None:
        """Note the forms that are asked for."""
        for form in forms:
            if form in self.asked:
                self.found.setdefault(form, given)

    def files_of(self, forms: Iterable[_Form]) -> list[str]:
        """Return the files of the forms that were found."""
        return _distinct(self.found[form] for form in forms if form in self.found)


def _learnt_lines(each: Ancestor, path: Path, asked: Collection[_Pair]) -> Iterator[_Pair]:
    """Yield the sentence pairs of a training file, and sentences that are in no pair, each with an empty text."""
    if each.name in SYNONYMS:
        yield from map(same_sentence, _synonymous(path, list(asked), form=_bare))
    elif each.name == "text":
        yield from ((_bare(text), "") for text in read_cells([path]))
    else:
        yield from map(same_sentence, _read_training_pairs(each, path))
        if each.name == "data":
            yield from ((_bare(text), "") for text in _texts_alone(each, path))


def _bare(text: str) -> str:
    return same_sentence((text, ""))[0]


def _texts_alone(each: Ancestor, path: Path) -> Iterator[str]:
    """Yield the sentences of a source of `train` that are in no pair of `_read_source`."""
    source = GivenSource.labelled(each.record.name or "", path)
    if source.kind == "unsupervised":
        yield from (line for _, line in read_lines(path))
    elif "nli" in source.kind or (source.kind == "pairs" and is_scored(path)):
        for row in (row for rows in _inference(each, source) for row in rows):
            yield from filter(None, (row.premise, row.hypothesis, row.contradiction))


def seen_names(
    encoder: Path,
    mentions: Iterable[tuple[str, Sequence[str]]],
    mentions_file: Path,
    names: Callable[[], Iterable[tuple[str, Sequence[str]]]],
) -> tuple[int, Seen]:
    """Count mentions that are names of one of their concepts in the training data of an encoder, regardless of case.

    Args:
        encoder: The encoder.
        mentions: Mentions with their concepts.
        mentions_file: Their file.
        names: Names of the knowledge base with their concepts, read only if an encoder was trained on pairs of names.

    Returns:
        Their number, and where they were found.
    """
    asked: dict[str, dict[str, list[int]]] = {}
    for number, (text, concepts) in enumerate(mentions):
        for concept in concepts:
            asked.setdefault(SAME_TEXT.fold(text), {}).setdefault(concept, []).append(number)
    found, seen = Seen(), set[int]()
    beside: list[tuple[str, str, str]] = []  # file, mention, the text beside it

    def learn(given: str, text: str, concepts: Iterable[str]) -> None:
        own = {number for concept in concepts for number in asked.get(text, {}).get(concept, ())}
        found.files += [given] if own - seen and given not in found.files else []
        seen.update(own)

    for each, path in _training_files([encoder], (*SYNONYMS, *PAIRS), [mentions_file], found.gaps):
        if each.name in SYNONYMS:
            for entry in read_synonyms(path, keep_suppressible=True):
                for name in entry.names:
                    learn(each.given, SAME_TEXT.fold(name), entry.concepts)
        else:
            pairs = map(SAME_TEXT.fold_pair, _read_training_pairs(each, path))
            both = (own for pair in pairs for own in (pair, pair[::-1]))
            beside += [(each.given, text, other) for text, other in both if text in asked]
    known: dict[str, set[str]] = {other: set() for _, _, other in beside}
    for name, concepts in names() if known else ():
        known.get(SAME_TEXT.fold(name), set()).update(concepts)
    for given, text, other in beside:
        learn(given, text, known[other])
    found.origin, gaps = common_origins([encoder], mentions_file)
    found.gaps += gaps
    found.unchecked = unchecked([encoder], mentions_file)
    return len(seen), found


def _training_files(
    made: Iterable[Path],
    names: Sequence[str],
    at_hand: Iterable[Path],
    gaps: list[str],
    known: Sequence[Path] = (),
    *,
    text: bool = False,
) -> Iterator[tuple[Ancestor, Path]]:
    """Yield each training file once, except known ones, with its path. Add a remark for each that is gone.

    Any file at hand may be a training file under another name. `text` asks for that of language models too.
    """
    digests = {DigestStore.default().of(path): path for path in at_hand if not path.is_dir()}
    seen = {digest for digest, path in digests.items() if path in known}
    for folder in filter(None, map(owner_of, made)):
        for each in ancestors(folder):
            if isinstance(each, Unknown):
                gaps.extend([each.gap] if each.folder != folder else [])  # that of an input itself is known
            elif (each.name in names or _has_text(each) or (text and _is_corpus(each))) and (
                each.record.sha256 not in seen or _is_inference(each)
            ):
                seen.add(each.record.sha256)
                path = each.path(digests)
                if path is not None and (each.name != "source" or _other_side(each)):
                    yield each, path
                else:
                    gaps.append(each.gap)


def _has_text(each: Ancestor) -> bool:
    """Return whether it is text that an encoder learns from, besides `PAIRS` and `SYNONYMS`.

    The lines of --target count with those of --source.
    """
    return each.maker.stage in LEARN_TEXT and each.name in ("data", "source")


def _is_corpus(each: Ancestor) -> bool:
    """Return whether it is text of a language model."""
    return (each.maker.stage, each.name) == ("pretrain", "text")


def _is_inference(each: Ancestor) -> bool:
    """Return whether it may have rows that belong to those of other files."""
    return (each.record.name or "").startswith("cross-lingual-nli")


def _other_side(each: Ancestor) -> Path | None:
    """Return the file of --target that belongs to one of --source, or None if it is gone or has changed."""
    return next((unchanged(each.folder, record) for record in each.maker.inputs.get("target", [])), None)


def _read_training_pairs(each: Ancestor, path: Path) -> Iterable[_Pair]:
    """Read the pairs of a file as the stage that was trained on it did."""
    if each.name == "source":
        return ((source, target) for _, source, target in parallel_text(path, _other_side(each)))
    if each.maker.stage == "train" and each.name in ("data", "dev"):
        return _read_source(each, path)
    of_stage = each.name == "pairs" or each.maker.stage == "mine-bitext"
    return _read_pairs_of(each.maker, [path]) if of_stage else read_pairs(path)


def _read_source(each: Ancestor, path: Path) -> Iterator[_Pair]:
    """Yield the pairs of a source of `train`: translations, entailments and pairs with scores, in all languages.

    Files of one language each, of cross-lingual-nli, are one source. Its pairs come with the first file that is left.
    """
    source = GivenSource.labelled(each.record.name or "", path)
    if source.kind == "unsupervised":
        return
    if "nli" not in source.kind and not (source.kind == "pairs" and is_scored(path)):
        codes = languages_of(source)
        given = tuple(each.maker.params.get(f"{side}_language") for side in ("source", "target"))
        first, second = codes or given
        yield from ((one, other) for _, one, other in parallel_text(path, languages=(first, second)))
        return
    used = each.maker.params.get("languages") or ()
    for same in _inference(each, source):
        rows = [row for row in same if not used or row.language in used]
        if same[0].label == "entailment" or same[0].score is not None:
            yield from ((one.premise, other.hypothesis) for one in rows for other in rows)


def _inference(each: Ancestor, source: GivenSource) -> Sequence[tuple[NliRow, ...]]:
    """Return the rows that `train` read from a source of inference, with the other files that belong to it."""
    if not one_language_of_several(source):
        return nli_table(to_read([source if "nli" in source.kind else replace(source, name="")])[0])
    records = each.maker.inputs[each.name]
    paths = [source.path if record is each.record else unchanged(each.folder, record) for record in records]
    given = [GivenSource.labelled(record.name or "", path)
             for record, path in zip(records, paths, strict=True) if path is not None]  # fmt: skip
    together = [one for one in given if one_language_of_several(one)]
    return nli_table(to_read(together)[0]) if together[0].path == source.path else []


def _read_pairs_of(maker: Manifest, paths: Sequence[Path]) -> Iterable[_Pair]:
    given = (maker.params.get(f"{side}_language") for side in ("source", "target"))
    first, second = (each if isinstance(each, str) else None for each in given)
    languages = first, second
    if maker.stage.startswith("align") or maker.stage in ("pretrain", "mine-bitext") or len(paths) > 1:
        return ((source, target) for _, source, target in parallel_text(*paths, languages=languages))
    return read_pairs(*paths, languages=languages)


def learned_words(folder: Path, dictionaries: Sequence[Path]) -> LearnedWords:
    """Follow manifests back to the dictionaries that a space was learned from.

    Args:
        folder: The space.
        dictionaries: Files; a dictionary that was moved is recognised among them.
    """
    digests = DigestStore.default()
    at_hand = {digests.of(path): path for path in dictionaries}
    learned = LearnedWords()
    for each in ancestors(folder):
        if isinstance(each, Unknown):
            learned.gaps.append(each.gap)
            learned.unknown |= bool(unknown_origin(each.folder))
        elif each.name in PAIRS or _has_text(each):
            path = each.path(at_hand)
            if path is None or (each.name == "source" and _other_side(each) is None):
                learned.gaps.append(each.gap)
                continue
            seen = learned.tuned if each.tuned else learned.mapped
            for pair in _read_training_pairs(each, path):
                for column, word in zip(seen, pair, strict=True):
                    column.add(SAME_TEXT.fold(word))
    return learned


def _synonymous(path: Path, pairs: Sequence[_Pair], *, form: Callable[[str], str] = SAME_TEXT.fold) -> Iterator[_Pair]:
    """Yield the pairs, whose texts have this form, of which both are names of one concept in a file of synonyms."""
    wanted = {text for pair in pairs for text in pair}
    names: dict[str, set[str]] = {}
    for entry in read_synonyms(path, keep_suppressible=True):
        own = wanted.intersection(map(form, entry.names))
        for concept in entry.concepts if own else ():
            names.setdefault(concept, set()).update(own)
    concepts: dict[str, set[str]] = {}
    for concept, texts in names.items():
        for text in texts:
            concepts.setdefault(text, set()).add(concept)
    yield from (pair for pair in pairs if concepts.get(pair[0], set()) & concepts.get(pair[1], set()))


def seen_in_hub(folder: Path, first: str, second: str, test: Sequence[_Pair], test_file: Path) -> Seen:
    """Find the test pairs of two languages that the training dictionaries of a hub contain or imply.

    If neither language is the hub, pairs follow from the dictionaries of both with it.
    """
    space, seen, known = read_hub(folder), Seen(), list[HubDictionaries]()
    maker = maker_of(folder)
    if maker is None:
        seen.gaps.append(unknown_origin(folder) or f"{folder} has no manifest with its training data")
    place: Path | None = folder
    while maker is not None and place is not None:
        given = {}
        for record in maker.inputs.get("dictionaries", []):
            path = unchanged(place, record)
            if path is None:
                seen.gaps.append(f"{record.given}, on which {place} was trained, is gone or has changed")
            else:
                given[record.name or ""] = path
        known.append(HubDictionaries(given, space.languages, "--dictionaries"))
        into = maker.inputs.get("into", [])
        place = owner_of(place_of(place, into[0])) if into else None
        maker = maker_of(place) if place is not None else None

    def learned(name: str) -> set[_Pair]:
        read = (each.read(name, space.hub) for each in known)
        return {SAME_TEXT.fold_pair(pair) for pairs in read if pairs is not None for pair in pairs}

    folded = [SAME_TEXT.fold_pair(pair) for pair in test]
    if space.hub == second:
        own = learned(first)
    elif space.hub == first:
        own = {pair[::-1] for pair in learned(second)}
    else:
        own = composed(learned(first), learned(second), folded)
    seen.pairs = list(dict.fromkeys(pair for pair, each in zip(test, folded, strict=True) if each in own))
    seen.files = [f"the dictionaries of {folder}"] if seen.pairs else []
    seen.origin, gaps = common_origins([folder], test_file)
    seen.gaps += gaps
    seen.unchecked = unchecked([folder], test_file)
    return seen


# ---------------------------------------------------------------- sentences that an aligner was trained on


@dataclass(frozen=True)
class SeenSentences:
    """How the training of an aligner is related to the sentences that it is tested on.

    Args:
        unfair: Why the scores are too high, one sentence for each reason.
        trained: Numbers of test sentence pairs that it was trained on without gold links, by file.
        gaps: A remark for each file that cannot be checked.
        unchecked: The sentences of `unchecked`.
    """

    unfair: list[str] = field(default_factory=list)
    trained: dict[str, int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def seen_sentences(predicted: Path, gold: Path, sentences: Iterable[_Pair]) -> SeenSentences:
    """Find test sentences and gold links that an aligner was trained or selected on.

    Args:
        predicted: The links to test.
        gold: The gold links.
        sentences: The test sentence pairs. Only letters and digits count, in any case, as they may be tokenised.
    """
    found = SeenSentences(unchecked=unchecked([predicted], gold))
    folder = owner_of(predicted)
    maker = maker_of(folder) if folder is not None else None
    if folder is None or maker is None:
        return found
    models = [place_of(folder, record) for name in ("encoder", "vectors", "dictionary")
              for record in maker.inputs.get(name, ())]  # fmt: skip
    origin, gaps = common_origins(models, gold)
    found.gaps.extend(gaps)
    found.unfair.extend([f"{origin}."] if origin else [])
    home = owner_of(gold)
    if home is not None and (own := maker_of(home)) is not None and own.key == maker.key:
        found.unfair.append(f"{gold} has the links that are tested.")
    wanted = Counter(map(same_sentence, sentences))
    digest = DigestStore.default().of(gold)
    if maker.stage == "align" and not ALIGNERS[recorded_param(folder, maker, "method", str)].needs:
        corpus = " and ".join(record.given for name in _TEXT for record in maker.inputs.get(name, [])[:1])
        found.trained[corpus] = sum(wanted.values())
    for place, own in _learners(models).items():
        for name in LINKS:
            if any(record.sha256 == digest for record in _links(own, name)):
                found.unfair.append(f"{place} was {_HOW[name]} the gold links {gold} themselves.")
        for name, given, count in _found_sentences(place, own, wanted, found.gaps):
            links = _links(own, "alignments" if name == "pairs" else "validation")
            if any(record.sha256 != digest and record.made_by is None for record in links):
                word = LINKS[name == "validation_pairs"]
                found.unfair.append(f"{place} was {_HOW[word]} links of {count:,} of the sentence pairs ({given}).")
            elif name == "pairs" and not any(record.sha256 == digest for record in links):
                found.trained[given] = max(count, found.trained.get(given, 0))
    return found


def _learners(models: Sequence[Path]) -> dict[Path, Manifest]:
    """Return every result that models were made from, and how it was made."""
    steps = (each for path in models for each in ancestors(owner_of(path) or path))
    return {each.folder: each.maker for each in steps if isinstance(each, Ancestor)}


def _links(maker: Manifest, name: str) -> Sequence[InputRecord]:
    """Return the links that a result was trained on (`alignments`) or selected on (`validation`)."""
    objectives = maker.params.get("objectives")
    used = name == "validation" or not isinstance(objectives, list) or "supervised" in objectives
    return maker.inputs.get(name, ()) if used else ()


_TEXT = ("pairs", "source", "target")
_HOW = {"alignments": "trained on", "validation": "selected on"}


def _found_sentences(
    folder: Path, maker: Manifest, wanted: Counter[_Pair], gaps: list[str]
) -> Iterator[tuple[str, str, int]]:
    """Yield the inputs of a result that contain some of the sentence pairs, with the number of these."""
    for name, other in (("pairs", None), ("source", "target"), ("validation_pairs", None)):
        if name == "source" and maker.stage not in ("align", *LEARN_TEXT):
            continue
        sides = [maker.inputs.get(each, ()) for each in (name, other) if each is not None]
        for records in zip(*sides, strict=False):
            given, paths = " and ".join(one.given for one in records), [unchanged(folder, one) for one in records]
            if None in paths:
                gaps.append(f"{given}, on which {folder} was trained, is gone or has changed")
            elif count := _common(wanted, _read_pairs_of(maker, [*filter(None, paths)])):
                yield "pairs" if name == "source" else name, given, count
    for record in maker.inputs.get("data", ()) if maker.stage in LEARN_TEXT else ():
        each, path = Ancestor(folder, maker, "data", record, True), unchanged(folder, record)
        if path is None:
            gaps.append(each.gap)
        elif count := _common(wanted, _read_source(each, path)):
            yield "pairs", each.given, count


def _common(wanted: Counter[_Pair], pairs: Iterable[_Pair]) -> int:
    """Return how many of the wanted sentence pairs are among others."""
    known = {same_sentence(pair) for pair in pairs}
    return sum(number for pair, number in wanted.items() if pair in known)


# ---------------------------------------------------------------- messages


def tell_seen_pairs(found: Seen, total: int, job: Job) -> None:
    """Warn of test pairs that were used for training, list them in `leaks.tsv`, and warn of what cannot be checked."""
    if found.pairs:
        listed = "With --out they are listed in leaks.tsv of the result."
        if job.kept:
            write_pairs(job.out / "leaks.tsv", found.pairs)
            listed = "They are listed in leaks.tsv of the result."
        was, files = "was" if len(found.pairs) == 1 else "were", ", ".join(found.files)
        job.notices.warn(
            f"{len(found.pairs):,} of {counted(total, f'test {found.item}')} {was} used for training ({files}), so the "
            f"scores are too high for new {found.item}s.",
            f"Test on {found.item}s that were not used for training. {listed}",
        )
    tell_origin(found, job)


def tell_seen_lines(named: Sequence[tuple[str, Seen]], total: int, job: Job) -> str:
    """Warn of sentence pairs that were used for training, list them in `leaks.tsv`, and report single sentences.

    Args:
        named: Names of the test sets, and what was found of each.
        total: Number of test pairs.
        job: Messages of the run.

    Returns:
        A note for a table, empty if no test sentence was in the training text.
    """
    found = [each for _, each in named]
    leaks = [tuple(" ".join(text.split("\t")) for text in pair) for each in found for pair in each.pairs]
    whole = Seen([(one, other) for one, other in leaks], item=found[0].item if found else "pair")
    whole.files, whole.gaps, whole.text_files = (
        _distinct(name for each in found for name in getattr(each, part)) for part in ("files", "gaps", "text_files")
    )
    whole.origin = next((each.origin for each in found if each.origin), "")
    tell_seen_pairs(whole, total, job)
    if len(found) > 1 and leaks:
        shown = ", ".join(f"{name} {len(each.pairs):,}" for name, each in named if each.pairs)
        job.notices.say(f"Test {whole.item}s that were used for training: {shown}.")
    counts = [each.sentences for each in found if each.sentences is not None]
    number, asked = sum(count for count, _ in counts), sum(count for _, count in counts)
    if not number:
        return ""
    was = "was" if number == 1 else "were"
    message = f"{number:,} of {counted(asked, 'test sentence')} {was} in the training text"
    job.notices.say(f"{message} ({', '.join(whole.text_files)}).")
    return f" {message}."


def tell_origin(found: Seen, job: Job) -> None:
    """Warn if test set and system have a common origin, or if training data cannot be checked for test items."""
    if found.origin:
        job.notices.warn(f"{found.origin}: the scores are too high.", "Use a test set of another origin.")
    if found.gaps:
        job.notices.warn(f"Whether test items were used for training cannot be checked: {found.gaps[0]}.", None)

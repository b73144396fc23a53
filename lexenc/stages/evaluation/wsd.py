"""eval wsd: senses of words by the nearest sense vector, trained on SemCor or the like, beside the first sense."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lexenc.arrays import Floats, blocks
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.wsd import (
    FIRST_SENSE,
    SHUFFLED,
    TASK,
    ChosenSense,
    Nearest,
    SenseVectors,
    TaggedSenses,
    credit,
    tag_vectors,
)
from lexenc.files.evaluations import Convention, Item, Score
from lexenc.files.exchange.xml import looks_like_xml, root_name
from lexenc.files.semcor import UNMAPPED, read_semcor
from lexenc.files.sense_keys import (
    CORPUS,
    NO_KEY,
    SenseTag,
    TaggedSentence,
    read_first_senses,
    read_sense_keys,
    read_tagged_xml,
)
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.evaluation.shared import IntervalParams, TestSet, evaluate, shared_facts
from lexenc.stages.lineage import seen_lines, tell_seen_lines
from lexenc.stages.reading import open_encoder
from lexenc.text.folding import same_sentence
from lexenc.text.words import in_context

if TYPE_CHECKING:
    from lexenc.encoders.base import Encoder

_AT_ONCE = 512  # training sentences whose vectors are held at a time
_LAYERS = 4  # layers at which they are; of more layers, fewer sentences
_FEW_GROUPS = 10
_AROUND = 6  # words on each side of a word that are shown
Embed = Callable[[Sequence[TaggedSentence]], tuple[Floats, np.ndarray]]


@dataclass(frozen=True)
class EvalWsdParams(IntervalParams):
    """Parameters of `eval wsd`."""

    layer: tuple[int, ...] = param(
        (),
        "Layer of the encoder that vectors are taken from, negative from the end; or several, e.g. 1,2. If left out, "
        "two thirds of the way up: 8 of 12, 4 of 6, the last of up to three.",
    )
    combine: Literal["concat", "mean"] = param("concat", "How the vectors of several layers become one.")
    resample: Literal["documents", "sentences", "instances"] = param(
        "documents",
        "What intervals draw. Instances of a document or a sentence are alike, so that drawing them one by one gives "
        "intervals that are too narrow; fewer than ten documents give no reliable interval.",
    )


@dataclass
class _Trained:
    """What is known from the training data.

    Args:
        table: Its senses.
        vectors: Their vectors.
        first: The first sense of every lemma and part of speech, with those of the back-off.
        back_off: First senses from elsewhere, by lemma and part of speech.
        sentences: How many sentences have a sense.
        shared: Test sentences that are training sentences too, as `same_sentence` writes them.
    """

    table: TaggedSenses
    vectors: SenseVectors
    first: Mapping[tuple[str, str], str]
    back_off: Mapping[tuple[str, str], str]
    sentences: int
    shared: set[str]


@dataclass(frozen=True)
class _Test:
    """A test set as it was read: its files, its sentences, and what is left out, by reason."""

    files: tuple[Path, ...]
    sentences: list[TaggedSentence]
    left_out: Counter[str]

    @property
    def texts(self) -> list[str]:
        """The sentences as text."""
        return [" ".join(each.words) for each in self.sentences]


def eval_wsd(inputs: dict[str, Any], params: EvalWsdParams, job: Job) -> Outcome:
    """Learn sense vectors from the training data, and give every instance of every test set the nearest one."""
    tests = [_read_test(*files, job) for files in zip(inputs["test"], inputs["gold"], strict=True)]
    back_off = read_first_senses(inputs["back_off"]) if inputs.get("back_off") else {}
    encoder = open_encoder(inputs["encoder"], "auto", job)
    layers, embed = _embedding(encoder, inputs["encoder"], params)
    pairs = [[(text, "") for text in each.texts] for each in tests]
    asked = {one for own in pairs for one, _ in map(same_sentence, own) if one}
    trained = _train(inputs, embed, asked, back_off, job)
    found = seen_lines([inputs["encoder"]], [(test.files, own) for test, own in zip(tests, pairs, strict=True)])
    names = [TestSet.of(test.files[0], []).name for test in tests]
    note = tell_seen_lines(list(zip(names, found, strict=True)), sum(map(len, pairs)), job)
    facts = {
        "layer": layers[0] if len(layers) == 1 else list(layers),
        **({"combine": params.combine} if len(layers) > 1 else {}),
        "training_sentences": trained.sentences,
        "training_tags": trained.table.tags,
        "training_senses": len(trained.vectors.keys),
        "back_off_file": inputs["back_off"].name if back_off else "none",
        "resampled": params.resample,
    }
    sets = []
    for test, seen in zip(tests, found, strict=True):
        own = _answered(test, embed, trained, params, job)
        leaks = sum(same_sentence((text, ""))[0] in trained.shared for text in test.texts)
        sets.append(replace(own, facts={**own.facts, **shared_facts(own.name, seen, leaks, len(test.sentences), job)}))
    _tell(sets, params, job)
    note = _note(facts, trained, params) + note
    return evaluate(TASK, sets, params, job, convention=Convention(ties="lower index"), facts_of_all=facts, note=note)


# ---------------------------------------------------------------- reading


def _read_test(test: Path, gold: Path, job: Job) -> _Test:
    removed, left_out = Counter[str](), Counter[str]()
    sentences = []
    for each in read_tagged_xml(test, read_sense_keys(gold), removed):
        tags = [tag for tag in each.tags if tag.keys]
        left_out[NO_KEY] += len(each.tags) - len(tags)
        if tags:
            sentences.append(each._replace(tags=tags))
    _tell_removed(test, removed, job)
    return _Test((test, gold), sentences, +left_out)


def _tell_removed(path: Path, removed: Counter[str], job: Job) -> None:
    if removed:
        shown = ", ".join(f"{name}: {count:,}" for name, count in removed.items())
        job.notices.warn(f"{path}: characters that XML does not allow were left out ({shown}).", None)


def _training(inputs: Mapping[str, Any], left_out: Counter[str], removed: Counter[str]) -> Iterator[TaggedSentence]:
    if inputs.get("train_gold"):
        return read_tagged_xml(inputs["train"], read_sense_keys(inputs["train_gold"]), removed)
    return read_semcor(inputs["train"], left_out)


# ---------------------------------------------------------------- vectors


def _embedding(encoder: Encoder, folder: Path, params: EvalWsdParams) -> tuple[tuple[int, ...], Embed]:
    """Return the layers, and the function from sentences to the vectors of their tagged words."""
    from lexenc.encoders.word_vectors import JoinedWords

    count = getattr(encoder, "layers", 0)
    if params.layer and not count:
        raise ConfigError(
            f"--layer has no effect with {folder}, a {encoder.kind} encoder, which has no layers.", hint="Leave it out."
        )
    layers = params.layer or ((count if count <= 3 else round(2 * count / 3)),)
    encode = JoinedWords(encoder, layers, params.combine, unit="words")

    def embed(sentences: Sequence[TaggedSentence]) -> tuple[Floats, np.ndarray]:
        # The vectors of all their words at all layers are held until those of the tagged words are taken.
        parts = [sentences[part] for part in blocks(len(sentences), max(1, _AT_ONCE * _LAYERS // len(layers)))]
        found = [tag_vectors(encode([each.words for each in own]), own) for own in parts]
        vectors, covered = (np.concatenate(own) for own in zip(*found, strict=True))
        return vectors, covered

    return layers, embed


def _train(
    inputs: Mapping[str, Any], embed: Embed, asked: set[str], back_off: Mapping[tuple[str, str], str], job: Job
) -> _Trained:
    """Read the training data once, and add up the vectors of its tagged words."""
    table, left_out, removed = TaggedSenses(), Counter[str](), Counter[str]()
    shared, sentences, path = set[str](), 0, inputs["train"]
    stream = _training(inputs, left_out, removed)
    with job.progress.task("Encoding training sentences", None, "sentences") as task:
        while part := list(islice(stream, _AT_ONCE)):
            kept = [each for each in part if any(tag.keys for tag in each.tags)]
            left_out[NO_KEY] += sum(not tag.keys and not tag.unmapped for each in part for tag in each.tags)
            shared |= asked.intersection(same_sentence((" ".join(each.words), ""))[0] for each in kept)
            if kept:
                table.add([tag for each in kept for tag in each.tags], *embed(kept))
            sentences += len(kept)
            task.advance(len(part))
    _tell_removed(path, removed, job)
    vectors = table.vectors()
    if not vectors.keys:
        what = "no sense key" if not table.tags else "no word with a sense that has a vector"
        raise DataError(f"{path} has {what}.", hint="Give SemCor, or XML with --train-gold.")
    if table.without_vector:
        left_out["no vector"] = table.without_vector
    if counts := +left_out:
        shown = ", ".join(f"{reason}: {count:,}" for reason, count in counts.items())
        message = f"{path}: left out of the training data: {shown}."
        if set(counts) == {UNMAPPED}:
            job.notices.say(message)
        else:
            job.notices.warn(message, None)
    return _Trained(table, vectors, table.first_senses(back_off), back_off, sentences, shared)


# ---------------------------------------------------------------- answers


def _answered(test: _Test, embed: Embed, trained: _Trained, params: EvalWsdParams, job: Job) -> TestSet:
    """Answer the instances of a test set."""
    tags = [tag for each in test.sentences for tag in each.tags]
    parts = [embed(test.sentences[start : start + _AT_ONCE]) for start in range(0, len(test.sentences), _AT_ONCE)]
    vectors, covered = (np.concatenate(own) for own in zip(*parts, strict=True))
    found = trained.vectors.nearest(tags, vectors, covered, device=job.device.name, progress=job.progress)
    items = list(_items(test, tags, found, trained, params.resample))
    first = float(np.mean([item.numbers["first_sense"] for item in items]))
    controls = {
        FIRST_SENSE: lambda generator: tuple(Score(metric.key, first, n=len(items)) for metric in TASK.metrics[:2]),
        SHUFFLED: partial(trained.vectors.shuffled, tags, vectors, found),
    }
    groups = len({item.numbers["group"] for item in items})
    facts = {"groups": groups, "instances_without_vector": int((~covered).sum())}
    return TestSet.of(test.files[0], items, facts=facts, left_out=test.left_out, controls=controls)


def _items(test: _Test, tags: Sequence[SenseTag], found: Nearest, trained: _Trained, resample: str) -> Iterator[Item]:
    """Yield the instances with their answers and credits."""
    documents: dict[str, int] = {}
    known, vectors = set(trained.table.keys), trained.vectors
    places = [(number, each) for number, each in enumerate(test.sentences) for _ in each.tags]
    chosen = vectors.answers(tags, found, trained.back_off)
    for row, (tag, (number, sentence), answers) in enumerate(zip(tags, places, chosen, strict=True)):
        document = documents.setdefault(sentence.document, len(documents))
        first = trained.first.get((tag.lemma, tag.part))
        free, own = answers
        by_back_off = free is not None and free.cosine is None
        groups = {"documents": document, "sentences": number, "instances": row}
        numbers = {
            "accuracy": _credit(free, tag),
            "filtered_accuracy": _credit(own, tag),
            "right_lemma": float(free is not None and (by_back_off or tag.lemma in vectors.lemmas[free.key])),
            "first_sense": float(first in tag.keys),
            "ceiling": float(not known.isdisjoint(tag.keys)),
            "back_off": float(own is not None and own.cosine is None),
            "without_candidate": float(not vectors.has_candidates(tag)),
            "group": groups[resample],
        }
        shown = [
            {"senses": name, "target": each.key} | ({} if each.cosine is None else {"score": round(each.cosine, 6)})
            for name, each in (("all", free), ("of the lemma", own)) if each is not None
        ]  # fmt: skip
        asked = tag.name, f"{tag.lemma}.{tag.part}", in_context(sentence.words, tag.start, tag.end, around=_AROUND)
        yield Item(asked, tag.keys, True, tuple(shown), numbers)


def _credit(answer: ChosenSense | None, tag: SenseTag) -> float:
    return credit(() if answer is None else (answer.key,), tag.keys)


# ---------------------------------------------------------------- messages


def _tell(sets: Iterable[TestSet], params: EvalWsdParams, job: Job) -> None:
    few = {each.name: each.facts["groups"] for each in sets if each.facts["groups"] < _FEW_GROUPS}
    if few and params.resample == "documents":
        shown = ", ".join(f"{name} {count}" for name, count in few.items())
        job.notices.warn(
            f"Intervals draw documents, of which there are too few for reliable intervals: {shown}.",
            "With --resample sentences they draw sentences, which are more, but not independent.",
        )


def _note(facts: Mapping[str, Any], trained: _Trained, params: EvalWsdParams) -> str:
    layers = facts["layer"] if isinstance(facts["layer"], list) else [facts["layer"]]
    from_layer = f"layer {', '.join(map(str, layers))}" if any(layers) else "no layers"
    back_off = "no back-off" if facts["back_off_file"] == "none" else f"back-off {facts['back_off_file']}"
    return (
        f"Nearest sense vector by cosine ({from_layer}), of {counted(len(trained.vectors.keys), 'sense')} from "
        f"{counted(trained.table.tags, 'tagged word')}: of all senses, and of those of the lemma and part of speech. "
        f"Right lemma: the nearest of all senses is one of the lemma. {back_off.capitalize()}; a word without an "
        f"answer is wrong. Intervals draw {params.resample}."
    )


def check_eval_wsd(inputs: Mapping[str, Any], params: EvalWsdParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    tests, gold = (len(inputs.get(name) or ()) for name in ("test", "gold"))
    train, keys = inputs.get("train"), inputs.get("train_gold")
    table = [
        (tests != gold, "Every --test needs its --gold.", "Give as many of both, in the same order."),
        (
            train is not None and not keys and _has_corpus(Path(train)),
            f"{train} is XML, whose sense keys are in a file of their own.",
            "Give the file of its keys as --train-gold.",
        ),
    ]
    return [ConfigError(message, hint=hint) for wrong, message, hint in table if wrong]


def _has_corpus(path: Path) -> bool:
    """Return whether a file is XML in the form of test sets."""
    try:
        return path.is_file() and looks_like_xml(path) and root_name(path) == CORPUS
    except (DataError, OSError):
        return False  # reading it brings the error


EVAL_WSD = Stage(
    name="eval wsd", version=1, params=EvalWsdParams, run=eval_wsd, check=check_eval_wsd,
    inputs={
        "encoder": Input("Encoder.", kind="encoder"),
        "train": Input("Training data: SemCor as a folder, a tar archive or a file; or XML as --test."),
        "train_gold": Input("Sense keys of the training data, if it is XML.", required=False),
        "test": Input("XML with <instance id lemma pos> in its sentences (Raganato et al. 2017). Each file is a track.",
                      many=True),
        "gold": Input("Sense keys of each --test: the id of an instance and its keys on each line.", many=True),
        "back_off": Input("WordNet's index.sense or cntlist.rev, whose first sense is the answer for lemmas without "
                          "training data. By default such an answer is wrong.", required=False),
    },
    makes="scores.json, and items.jsonl with the senses that were chosen for every instance.",
    examples=(
        "lexenc eval wsd --encoder ENC --train semcor.tar.xz --test semeval2013.data.xml "
        "--gold semeval2013.gold.key.txt --json",
        "lexenc eval wsd --encoder ENC --layer 4 --train semcor.tar.xz --test semeval2007.data.xml "
        "--gold semeval2007.gold.key.txt --test semeval2015.data.xml --gold semeval2015.gold.key.txt --out runs/wsd",
    ),
    uses_device=True, uses_seed=True, out_required=False,
)  # fmt: skip

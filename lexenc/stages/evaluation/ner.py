"""eval ner: named entities, trained on one language and tested on any, with several seeds, beside two controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lexenc.arrays import Ragged
from lexenc.artifact import UNFINISHED
from lexenc.encoders.load import check_transformer
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.entities import (
    LEXICON,
    RANDOM,
    TASK,
    most_frequent_tags,
    scores_by_type,
    sentence_columns,
    sentence_item,
    tag_scores,
)
from lexenc.files.entities import NamedSentence, read_entities
from lexenc.files.evaluations import Convention, name_of_test
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.evaluation.seeds import check_seeded, control_scores, row_store, spread_table, trained_once
from lexenc.stages.evaluation.shared import IntervalParams, TestSet, evaluate, shared_facts
from lexenc.stages.lineage import seen_lines, tell_seen_lines
from lexenc.stages.reading import open_encoder
from lexenc.stages.training import train_in_folder
from lexenc.text.entities import OUTSIDE
from lexenc.text.folding import same_sentence
from lexenc.training import HISTORY, TAGGERS
from lexenc.training.schedule import StepSchedule

if TYPE_CHECKING:
    from lexenc.training.tagging import FrozenWords, Tagger, TaggerInput, TaggerSettings

_FORM = "a word and its tag on each line, an empty line after each sentence (CoNLL, WikiANN, MasakhaNER)."
_BASELINE = "bilstm-crf"  # the tagger of random vectors


@dataclass(frozen=True)
class EvalNerParams(StepSchedule, IntervalParams):
    """Parameters of `eval ner`. None stands for a default that depends on the head."""

    head: str = param(
        "bilstm-crf",
        "bilstm-crf: a bidirectional LSTM with a CRF is trained on the vectors of the frozen encoder. fine-tune: the "
        "encoder is trained with a linear layer on the first subword of each word.",
        choices=TAGGERS,
    )
    seeds: int = param(5, "Number of taggers, trained with seeds from --seed on. Scores are their means.", ge=1)
    epochs: int | None = param(  # type: ignore[assignment]
        None, "Passes over the training data. By default 20 for bilstm-crf and 3 to fine-tune, or as --steps needs.",
        ge=1,
    )  # fmt: skip
    batch_size: int | None = param(  # type: ignore[assignment]
        None, "Sentences per step. By default 32 for bilstm-crf and 16 to fine-tune.", ge=1
    )
    learning_rate: float | None = param(  # type: ignore[assignment]
        None, "Peak learning rate. By default 2e-3 for bilstm-crf and 5e-5 to fine-tune.", gt=0
    )
    weight_decay: float = param(0.0, "Weight decay of AdamW. Biases and normalisation layers have none.", ge=0)
    dev_share: float | None = param(
        None,
        "Share of the training sentences that is held out to choose the epoch. Use 0 for none. By default 0.1, unless "
        "--dev names a file.",
        ge=0,
        le=0.5,
    )
    layer: tuple[int, ...] = param(
        (),
        "bilstm-crf: layer of the encoder that vectors are taken from, negative from the end; or several, e.g. -1,-2. "
        "If left out, all layers, with the input of the first.",
    )
    combine: Literal["mean", "concat"] = param(
        "mean", "bilstm-crf: how the vectors of several layers become one. concat needs more time and memory."
    )
    word: Literal["mean", "first"] = param(
        "mean", "bilstm-crf: the vector of a word is the mean of its subwords, or that of its first subword."
    )
    hidden: int = param(256, "bilstm-crf: width of the LSTM of each direction.", ge=1)
    dropout: float = param(0.5, "bilstm-crf: share of inputs and outputs of the LSTM that is dropped.", ge=0, le=0.9)
    max_length: int = param(
        512,
        "Longest sentence in words, to fine-tune in subwords. The rest is not learned, and in test data it is answered "
        "as outside of entities.",
        ge=4,
    )
    types: tuple[str, ...] = param(
        (),
        "Types of entities that count, e.g. PER,LOC,ORG. Others are treated as ordinary words. If left out, all types.",
    )
    random_vectors: bool = param(
        True,
        "Score a control too: the bilstm-crf on a random vector for each distinct word, with one seed.",
    )


@dataclass
class _Data:
    """Sentences of one or more files, and what is to be said of them.

    Args:
        sentences: The sentences.
        scheme: How the tags were written.
        repaired: Number of entities that break the rules of this scheme.
        other_types: Number of entities of types that do not count, by type.
    """

    sentences: list[NamedSentence] = field(default_factory=list)
    scheme: str = ""
    repaired: int = 0
    other_types: Counter[str] = field(default_factory=Counter)

    @property
    def tags(self) -> list[tuple[str, ...]]:
        """The tags of every sentence."""
        return [each.tags for each in self.sentences]

    @property
    def words(self) -> list[tuple[str, ...]]:
        """The words of every sentence."""
        return [each.words for each in self.sentences]

    @property
    def types(self) -> Counter[str]:
        """Number of entities by type."""
        return Counter(tag[2:] for tags in self.tags for tag in tags if tag.startswith("B-"))

    def part(self, rows: Sequence[int]) -> _Data:
        """Return some of the sentences."""
        return _Data([self.sentences[row] for row in rows])


def eval_ner(inputs: dict[str, Any], params: EvalNerParams, job: Job) -> Outcome:
    """Train a tagger for every seed, and score the entities that it finds in every test set."""
    if params.head == "fine-tune":
        check_transformer(inputs["encoder"], f"--head {params.head}", hint="Use --head bilstm-crf.")
    train, dev = _training_data(inputs, params, job)
    tests = _test_data(inputs["test"], params, job)
    _tell_types(train, tests, job)
    found = _Runs(inputs, params, job, train, dev, tests).answers()
    tags = most_frequent_tags(train.sentences, [each.words for each in tests.values()])
    lexicon = dict(zip(tests, tags, strict=True))
    asked = [([path], [(text, "") for text in _texts(test)])
             for path, test in zip(inputs["test"], tests.values(), strict=True)]  # fmt: skip
    systems = [inputs["encoder"], inputs.get("test_encoder")]
    leaks = seen_lines(systems, asked, item=TASK.item)
    note = tell_seen_lines(list(zip(tests, leaks, strict=True)), sum(len(pairs) for _, pairs in asked), job)
    learned = {same_sentence((text, ""))[0] for each in (train, dev) for text in _texts(each)}

    sets = []
    for (name, test), seen in zip(tests.items(), leaks, strict=True):
        shared = sum(same_sentence((text, ""))[0] in learned for text in _texts(test))
        facts = {**shared_facts(name, seen, shared, len(test.sentences), job), "tag_scheme": test.scheme,
                 "repaired_entities": test.repaired, "entities": test.types.total(),
                 "types": sorted(test.types), "entities_left_out": dict(test.other_types)}  # fmt: skip
        controls = {LEXICON: [lexicon[name]]} | ({RANDOM: found.control[name]} if found.control else {})
        sets.append(TestSet(
            name,
            [sentence_item(each.words, each.tags, runs)
             for each, *runs in zip(test.sentences, *found.runs[name], strict=True)],
            facts=facts,
            controls={one: partial(control_scores, TASK, _columns(test, runs), params)
                      for one, runs in controls.items()},
            own={**found.facts, **found.read[name], "by_type": scores_by_type(test.tags, found.runs[name])},
        ))  # fmt: skip
    how = f", layer {', '.join(map(str, params.layer))}" if params.layer else ""
    outcome = evaluate(
        TASK, sets, params, job, convention=Convention(ties="first tag"),
        note=f"Means of {counted(params.seeds, 'seed')}, {params.head}{how}. "
        f"Whole entities with their types, micro-averaged as by conlleval; strict F1 ignores an I- without B-.{note}",
    )  # fmt: skip
    seeds = range(job.seed, job.seed + params.seeds)
    tables = [*spread_table(TASK, outcome.results, seeds), *_type_table(sets)]
    return replace(outcome, tables=[*outcome.tables, *tables])


def _columns(test: _Data, runs: Sequence[Sequence[Sequence[str]]]) -> np.ndarray:
    items = [sentence_item(each.words, each.tags, own) for each, *own in zip(test.sentences, *runs, strict=True)]
    return sentence_columns(items, True)


def _texts(data: _Data) -> list[str]:
    return [" ".join(words) for words in data.words]


# ---------------------------------------------------------------- data


def _read(path: Path, params: EvalNerParams) -> _Data:
    """Read a file, without the entities of types that do not count."""
    text = read_entities(path)
    whole = _Data(text.sentences, text.scheme, text.repaired)
    if not params.types:
        return whole
    kept = [each._replace(tags=tuple(tag if tag[2:] in params.types else OUTSIDE for tag in each.tags))
            for each in text.sentences]  # fmt: skip
    others = Counter({kind: number for kind, number in whole.types.items() if kind not in params.types})
    return replace(whole, sentences=kept, other_types=others)


def _tell(name: str, data: _Data, job: Job) -> None:
    """Report what was changed in the tags of a file."""
    if data.scheme != "IOB2":
        job.notices.say(f"{name}: tags in {data.scheme}, read as IOB2.")
    if data.repaired:
        hint = "They are entities nevertheless, as conlleval reads them."
        job.notices.warn(f"{name}: the tags of {counted(data.repaired, 'entity', 'entities')} break the rules of "
                         f"{data.scheme}.", hint)  # fmt: skip
    if data.other_types:
        shown = ", ".join(f"{kind}: {number:,}" for kind, number in sorted(data.other_types.items()))
        job.notices.say(f"{name}: entities of other types do not count ({shown}).")


def _training_data(inputs: Mapping[str, Any], params: EvalNerParams, job: Job) -> tuple[_Data, _Data]:
    """Read training and development data; without development data, hold out a share of the sentences."""
    train = _Data()
    for path in inputs["train"]:
        own = _read(path, params)
        _tell(path.name, own, job)
        train.sentences.extend(own.sentences)
    if not train.types:
        of = f" of the types {', '.join(params.types)}" if params.types else ""
        raise DataError(f"The training data has no entity{of}.", hint="Give sentences with entities as --train.")
    if inputs.get("dev"):
        dev = _read(inputs["dev"], params)
        _tell(inputs["dev"].name, dev, job)
        return train, dev
    order = generator(job.seed, "development examples").permutation(len(train.sentences)).tolist()
    size = round((0.1 if params.dev_share is None else params.dev_share) * len(order))
    return train.part(sorted(order[size:])), train.part(sorted(order[:size]))


def _test_data(paths: Sequence[Path], params: EvalNerParams, job: Job) -> dict[str, _Data]:
    """Read the test sets by name."""
    found: dict[str, _Data] = {}
    names = Counter[str]()
    for path in paths:
        data, name = _read(path, params), name_of_test(path)
        if not data.types:
            of = f" of the types {', '.join(params.types)}" if params.types else ""
            raise DataError(f"{path} has no entity{of}.", hint="Use a test set with entities.")
        names[name] += 1
        _tell(name, data, job)
        found[name if names[name] == 1 else f"{name} ({names[name]})"] = data
    return found


def _tell_types(train: _Data, tests: Mapping[str, _Data], job: Job) -> None:
    """Warn of types that only the test data has: their entities are never found."""
    for name, test in tests.items():
        unknown = {kind: number for kind, number in sorted(test.types.items()) if kind not in train.types}
        if unknown:
            shown = ", ".join(f"{kind}: {number:,}" for kind, number in unknown.items())
            both = ",".join(sorted(test.types.keys() & train.types.keys())) or "TYPES"
            job.notices.warn(f"{name}: the training data has no entity of some types, and none is found ({shown}).",
                             f"To score the others only: --types {both}.")  # fmt: skip


# ---------------------------------------------------------------- training


class _Found(NamedTuple):
    """What was found.

    Args:
        runs: Tags of every sentence by each run, by test set.
        control: The same for the random vectors, which have one run; None without them.
        facts: What to report of every test set.
        read: What to report of the encoder's reading of a test set.
    """

    runs: dict[str, list[list[list[str]]]]
    control: dict[str, list[list[list[str]]]] | None
    facts: dict[str, Any]
    read: dict[str, dict[str, Any]]


@dataclass
class _Runs:
    """The training runs of an evaluation.

    Args:
        inputs: Paths of the encoders.
        params: Settings.
        job: Device, progress and messages of the run.
        train: Training data.
        dev: Development data.
        tests: Test sets by name.
    """

    inputs: Mapping[str, Any]
    params: EvalNerParams
    job: Job
    train: _Data
    dev: _Data
    tests: Mapping[str, _Data]

    def __post_init__(self) -> None:
        kinds = sorted(self.train.types | self.dev.types)
        self.tags = [OUTSIDE, *(f"{letter}-{kind}" for kind in kinds for letter in "BI")]
        self._numbers = {tag: place for place, tag in enumerate(self.tags)}
        self._store = row_store(self.job.out / UNFINISHED)
        parts = {"train": self.train, "dev": self.dev, **{f"test {name}": each for name, each in self.tests.items()}}
        # Sentences without entities choose nothing.
        self._sets = {name: each for name, each in parts.items() if name != "dev" or each.types}

    def answers(self) -> _Found:
        """Train a tagger for every seed that no earlier, interrupted work has finished, and the control."""
        tagger: type[Tagger] = TAGGERS[self.params.head]
        encoder = self._open("encoder")
        words = tagger.words(encoder, self._settings, store=self._store)
        read = self._read(tagger, words)
        if "dev" not in read:
            self.job.notices.say("Without development data with entities, the weights of the last step are tested.")
        done = []
        for seed in range(self.job.seed, self.job.seed + self.params.seeds):
            done.append(trained_once(f"seed {seed}", self.job, partial(self._train, tagger, seed, words, read)))
            if tagger.tunes:
                words = None
        facts = {
            "head": self.params.head,
            "seeds": list(range(self.job.seed, self.job.seed + self.params.seeds)),
            "training_sentences": len(self.train.sentences),
            "training_entities": self.train.types.total(),
            "development_sentences": len(self.dev.sentences),
            **({"layer": list(self.params.layer) or "all", "combine": self.params.combine, "word": self.params.word,
                "hidden": self.params.hidden} if not tagger.tunes else {}),
            **{name: [each[name] for each in done] for name in ("best_step", "dev_f1") if "dev" in read},
            "steps": done[0]["steps"],
            "max_length": self.params.max_length,
        }  # fmt: skip
        control = self._random() if self.params.random_vectors else None
        return _Found(
            {name: [self._named(name, each["answers"][name]) for each in done] for name in self.tests},
            control and {name: [self._named(name, own)] for name, own in control["answers"].items()},
            facts,
            {name: {"sentences_cut": read[f"test {name}"].truncated,
                    "words_without_vector": read[f"test {name}"].missing} for name in self.tests},
        )  # fmt: skip

    @property
    def _settings(self) -> TaggerSettings:
        from lexenc.training.tagging import TaggerSettings

        own = self.params
        return TaggerSettings(own.layer, own.combine, own.word, own.max_length, own.hidden, own.dropout)

    def _schedule(self, tagger: type[Tagger], *, usual: bool = False) -> EvalNerParams:
        """Return the parameters with what is usual for a tagger where they say nothing, or everywhere."""
        unsaid: dict[str, Any] = dict.fromkeys(("epochs", "steps", "batch_size", "learning_rate"))
        own = replace(self.params, **unsaid) if usual else self.params
        epochs = tagger.epochs if own.epochs is None and own.steps is None else own.epochs or 1
        return replace(own, epochs=epochs, batch_size=own.batch_size or tagger.batch_size,
                       learning_rate=own.learning_rate or tagger.learning_rate)  # fmt: skip

    def _open(self, name: str) -> Any:
        return open_encoder(self.inputs[name], "auto", self.job)

    def _read(self, tagger: type[Tagger], words: Any) -> dict[str, TaggerInput]:
        """Read all sentences, those of the test sets with their own encoder if there is one."""
        others = words
        if self.inputs.get("test_encoder"):
            others = tagger.words(self._open("test_encoder"), self._settings, store=self._store)
            _check_alike(words, others)
        read = {name: (others if name.startswith("test ") else words)(each.words, progress=self.job.progress)
                for name, each in self._sets.items()}  # fmt: skip
        cut, total = sum(each.truncated for each in read.values()), sum(map(len, read.values()))
        if cut:
            self.job.notices.warn(f"{cut:,} of {counted(total, 'sentence')} are longer than is read, and are cut.",
                                  "Use a larger --max-length, if the encoder can take it.")  # fmt: skip
        if missing := sum(each.missing for each in read.values()):
            self.job.notices.say(f"{counted(missing, 'word')} without a vector, or not read.")
        return read

    def _random(self) -> dict[str, Any]:
        """Train and test the control with random vectors, unless it is done."""
        from lexenc.training.tagging import FrozenWords, RandomWords

        tagger: type[Tagger] = TAGGERS[_BASELINE]

        def train() -> dict[str, Any]:
            words = FrozenWords(RandomWords(self.params.hidden, seed=self.job.seed), self._settings,
                                device=self.job.device.torch, store=self._store)  # fmt: skip
            read = {name: words(each.words, progress=self.job.progress) for name, each in self._sets.items()}
            return self._train(tagger, self.job.seed, words, read)

        return trained_once(RANDOM, self.job, train)

    def _train(self, tagger: type[Tagger], seed: int, words: Any, read: Mapping[str, TaggerInput]) -> dict[str, Any]:
        """Train one tagger in the folder of the job, and return its answers as numbers of tags."""
        from lexenc.training.tagging import TaggingObjective, predicted_tags
        from lexenc.training.trainer import Trainer, Validation

        words = words or tagger.words(self._open("encoder"), self._settings)
        own = tagger(words, tags=len(self.tags), settings=self._settings, seed=seed)
        right = Ragged.of([[self._numbers[tag] for tag in tags] for tags in self.train.tags])
        schedule = self._schedule(tagger, usual=tagger is not TAGGERS[self.params.head])
        trainer = Trainer(TaggingObjective(own, read["train"], right), schedule=schedule, seed=seed)
        if "dev" in read:
            trainer.evaluation = Validation(lambda: self._dev_f1(own, read), schedule.epoch_steps(len(read["train"])))
        train_in_folder(trainer, self.job, stage="eval ner", examples=counted(len(read["train"]), "sentence"))
        return {
            "steps": trainer.total,
            **({"best_step": trainer.best.step, "dev_f1": trainer.best.score} if trainer.best else {}),
            "answers": {name: [each.tolist() for each in predicted_tags(own, read[f"test {name}"])]
                        for name in self.tests},
        }  # fmt: skip

    def _dev_f1(self, tagger: Tagger, read: Mapping[str, TaggerInput]) -> float:
        from lexenc.training.tagging import predicted_tags

        found = self._padded(self.dev, predicted_tags(tagger, read["dev"]))
        return float(tag_scores(self.dev.tags, found).f1)

    def _named(self, name: str, answers: Sequence[Sequence[int]]) -> list[list[str]]:
        return self._padded(self.tests[name], answers)

    def _padded(self, data: _Data, answers: Sequence[Any]) -> list[list[str]]:
        """Return tags by name; words that were not read are outside."""
        return [[*(self.tags[each] for each in own), *[OUTSIDE] * (len(words) - len(own))]
                for words, own in zip(data.words, answers, strict=True)]  # fmt: skip


def _check_alike(words: FrozenWords, others: FrozenWords) -> None:
    """Refuse an encoder of the test sentences whose word vectors cannot be in the space of the training data."""
    if others.width != words.width:
        raise ConfigError(
            f"The word vectors of --test-encoder have {others.width:,} numbers, those of --encoder {words.width:,}.",
            hint="Use encoders of one width, or project them into one space.",
        )
    if words.layers and others.layers and words.layers != others.layers:
        own, other = (", ".join(map(str, each.layers)) for each in (words, others))
        raise ConfigError(
            f"The word vectors of --test-encoder are of the layers {other}, those of --encoder of {own}.",
            hint="Choose layers that both have, e.g. --layer 1.",
        )


# ---------------------------------------------------------------- tables


def _type_table(sets: Sequence[TestSet]) -> list[Table]:
    """Lay out the scores of every type."""
    columns = [*(["test set"] if len(sets) > 1 else []), "type", "entities", "precision", "recall", "F1"]
    rows = [
        [*([each.name] if len(sets) > 1 else []), kind, f"{own['entities']:,}",
         *(f"{100 * own[name]:.2f}" for name in ("precision", "recall", "f1"))]
        for each in sets for kind, own in each.own["by_type"].items()
    ]  # fmt: skip
    return [Table("Named entities by type", columns, rows, "Means over seeds x 100.")]


def check_eval_ner(inputs: Mapping[str, Any], params: EvalNerParams) -> list[ConfigError]:
    """Return the errors that involve more than one option."""
    tuned = params.head == "fine-tune"
    table = [
        (tuned and bool(inputs.get("test_encoder")), "--test-encoder needs an encoder that is not trained.",
         "Use --head bilstm-crf."),
        (tuned and bool(params.layer), "--layer has no effect with --head fine-tune, which uses the last layer.",
         "Leave it out."),
    ]  # fmt: skip
    return [*check_seeded(inputs, params), *(ConfigError(text, hint=hint) for wrong, text, hint in table if wrong)]


EVAL_NER = Stage(
    name="eval ner", version=1, params=EvalNerParams, run=eval_ner, check=check_eval_ner,
    inputs={
        "encoder": Input("Encoder.", kind="encoder"),
        "test_encoder": Input("Encoder of the test sentences, if it is another one: one for their language whose "
                              "vectors are in the same space. By default --encoder.", kind="encoder", required=False),
        "train": Input(f"Training data: {_FORM}", many=True),
        "dev": Input("Development data of the same form, in the language of --train, to choose the epoch; or a share "
                     "of the training data, e.g. 0.1.", required=False, number="dev_share"),
        "test": Input("Test data of the same form. Each file is a test set.", many=True),
    },
    makes=f"scores.json, items.jsonl with the entities that every seed found, and {HISTORY} of each seed with loss and "
    "learning rate per step.",
    examples=(
        "lexenc eval ner --encoder ENC --train en.train --test de.test --seeds 5 --json",
        "lexenc eval ner --encoder EN --test-encoder DE --train en.train --dev en.dev --test de.test --out runs/ner",
        "lexenc eval ner --encoder ENC --head fine-tune --train en.train --test de.test --types PER,LOC,ORG",
    ),
    uses_device=True, uses_seed=True, resumable=True, out_required=False,
)  # fmt: skip

"""What evaluations of classes share: train a classifier with several seeds, and test it in every language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexenc.arrays import Indices
from lexenc.artifact import UNFINISHED
from lexenc.encoders import ENCODERS
from lexenc.encoders.base import Pooling
from lexenc.encoders.load import check_transformer, encoder_kind
from lexenc.errors import ConfigError, DataError
from lexenc.evaluation.classification import bag_of_words, class_items
from lexenc.evaluation.probe import MAJORITY, most_frequent
from lexenc.evaluation.task import Task
from lexenc.files.evaluations import Convention, name_of_test
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.randomness import generator
from lexenc.stage import Input, Job, Outcome
from lexenc.stages.evaluation.seeds import control_scores, row_store, spread_table, trained_once
from lexenc.stages.evaluation.shared import IntervalParams, TestSet, evaluate
from lexenc.stages.lineage import Seen, seen_lines, tell_seen_lines
from lexenc.stages.reading import POOLING, open_encoder
from lexenc.stages.training import train_in_folder
from lexenc.text.folding import check_language
from lexenc.training import HEADS, HISTORY
from lexenc.training.schedule import StepSchedule

if TYPE_CHECKING:
    from lexenc.training.classification import Classifier, Examples

Texts = tuple[str, ...]
MAKES = (f"scores.json, items.jsonl with the answers of every seed, and {HISTORY} of each seed with loss and learning "
         "rate per step.")  # fmt: skip


@dataclass(frozen=True)
class ClassifierParams(StepSchedule, IntervalParams):
    """Parameters of every evaluation that trains a classifier. None stands for a default that depends on the head."""

    head: str | None = param(
        None,
        "fine-tune: the encoder is trained with a linear layer, and a pair is one input. dense: two dense layers are "
        "trained on the vectors u and v of the frozen encoder, with |u - v| and u * v. bilstm: the same, but a BiLSTM "
        "with max pooling makes u and v from the states of the tokens of the frozen encoder. By default fine-tune, and "
        "dense for static encoders and ELMo.",
        choices=HEADS,
    )
    seeds: int = param(3, "Number of classifiers, trained with seeds from --seed on. Scores are their means.", ge=1)
    epochs: int | None = param(  # type: ignore[assignment]
        None,
        "Passes over the training data. By default 2 to fine-tune, 10 for dense and 5 for bilstm, or as --steps needs.",
        ge=1,
    )
    batch_size: int | None = param(  # type: ignore[assignment]
        None,
        "Examples per step. By default 32 to fine-tune, else 64. The usual 256 for XNLI leaves few steps where "
        "training data is small.",
        ge=1,
    )
    learning_rate: float | None = param(  # type: ignore[assignment]
        None, "Peak learning rate. By default 5e-5 to fine-tune, else 1e-3.", gt=0
    )
    weight_decay: float = param(0.0, "Weight decay of AdamW. Biases and normalisation layers have none.", ge=0)
    dev_share: float | None = param(
        None,
        "Share of the training data that is held out to choose the epoch. Use 0 for none. By default 0.1, unless --dev "
        "names a file.",
        ge=0,
        le=0.5,
    )
    language: str = param(
        "en", "Language of --train and --dev, where a file has a column for the language.", check=check_language
    )
    pooling: Pooling | None = param(None, f"{POOLING} By default cls to fine-tune, else auto.")
    max_length: int = param(128, "Longest input in tokens, to fine-tune that of a whole pair. The rest is cut.", ge=4)


@dataclass(frozen=True)
class Labelled:
    """Texts with their classes.

    Args:
        texts: The texts of each example.
        classes: Its class, from 0.
        left_out: Numbers of lines that were left out, by reason.
    """

    texts: list[Texts] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, texts: Texts, own: int | None) -> None:
        """Add an example, unless it has no class or an empty text."""
        if not all(texts):
            self.left_out["an empty sentence"] += 1
        elif own is None:
            self.left_out["no gold label"] += 1
        else:
            self.texts.append(texts)
            self.classes.append(own)

    def part(self, rows: Iterable[int]) -> Labelled:
        """Return some of the examples."""
        rows = list(rows)
        return Labelled([self.texts[row] for row in rows], [self.classes[row] for row in rows])

    @property
    def gold(self) -> Indices:
        """The classes. Shape [n]."""
        return np.array(self.classes, dtype=np.int64)


Read = Callable[[Path], dict[str, Labelled]]
"""Reads the examples of a file by language; without a column for the language, all as the language ""."""


@dataclass(frozen=True)
class Classification:
    """A kind of classification.

    Args:
        task: The task.
        classes: Names of the classes.
        read: Reads a file.
        control: Name of the control that is a bag of words.
        shown: Returns the texts that this control sees.
    """

    task: Task
    classes: Sequence[str]
    read: Read
    control: str
    shown: Callable[[Texts], Texts]


def classify(kind: Classification, inputs: Mapping[str, Any], params: ClassifierParams, job: Job) -> Outcome:
    """Train a classifier for every seed, test it, and report the mean over seeds with intervals and controls."""
    own = ENCODERS[encoder_kind(inputs["encoder"])]
    head = params.head or ("fine-tune" if own.language_model else "dense")
    if head == "fine-tune":
        check_transformer(inputs["encoder"], f"--head {head}", hint="Use --head dense.")
    classifier: type[Classifier] = HEADS[head]
    tester = inputs.get("test_encoder")
    if tester and classifier.tunes:
        raise ConfigError(f"--test-encoder has no meaning with --head {head}, which trains --encoder.",
                          hint="Use --head dense or bilstm.")  # fmt: skip
    epochs = classifier.epochs if params.epochs is None and params.steps is None else params.epochs or 1
    params = replace(params, head=head, epochs=epochs, batch_size=params.batch_size or classifier.batch_size,
                     learning_rate=params.learning_rate or classifier.learning_rate,
                     pooling=params.pooling or classifier.pooling)  # fmt: skip
    train, dev = _training_data(kind, inputs, params, job)
    tests = _test_data(kind, inputs["test"])
    seeds = range(job.seed, job.seed + params.seeds)
    encoders = inputs["encoder"], tester or inputs["encoder"]
    runs, facts = _Runs(classifier, *encoders, params, job, kind).answers(train, dev, tests, seeds)
    words = bag_of_words([kind.shown(each) for each in train.texts], train.gold,
                         [[kind.shown(each) for each in test.texts] for _, test in tests.values()])  # fmt: skip

    learned = {name: list(map(_pair, own.texts)) for name, own in (("--train", train), ("--dev", dev))}
    asked = [([path], list(map(_pair, test.texts))) for path, test in tests.values()]
    leaks = seen_lines(dict.fromkeys(encoders), asked, learned=learned, item=kind.task.item)
    note = tell_seen_lines(list(zip(tests, leaks, strict=True)), sum(len(pairs) for _, pairs in asked), job)

    def scored(name: str, test: Labelled, found: Indices, seen: Seen) -> TestSet:
        gold = test.gold
        controls = {MAJORITY: np.full(len(gold), most_frequent(train.gold)), kind.control: found}
        return TestSet(
            name,
            class_items(test.texts, gold, runs[name], kind.classes),
            facts={**seen.facts, **facts},
            left_out=test.left_out,
            controls={
                one: partial(control_scores, kind.task, np.stack([gold, own]), params) for one, own in controls.items()
            },
        )

    outcome = evaluate(
        kind.task,
        (scored(name, test, found, seen)
         for (name, (_, test)), found, seen in zip(tests.items(), words, leaks, strict=True)),
        params, job, convention=Convention(ties="first class"),
        note=f"Means of {counted(len(seeds), 'seed')}, {head}{f', tested with {tester.name}' if tester else ''}.{note}",
    )  # fmt: skip
    return replace(outcome, tables=[*outcome.tables, *spread_table(kind.task, outcome.results, seeds)])


def _pair(texts: Texts) -> tuple[str, str]:
    """Return an example as lineage compares it; a single text has an empty second side."""
    return texts[0], "".join(texts[1:])


def inputs_of(form: str) -> dict[str, Input]:
    """Return the inputs of such an evaluation, whose files have this form."""
    return {
        "train": Input(f"Training data: {form}", many=True),
        "dev": Input(
            "Development data of the same form, in the language of --train, to choose the epoch; or a share of the "
            "training data, e.g. 0.1.",
            required=False,
            number="dev_share",
        ),
        "test": Input("Test data of the same form. Each file, and each language in it, is a test set.", many=True),
        "encoder": Input("Encoder.", kind="encoder"),
        "test_encoder": Input(
            "Encoder of the test data, if it is not --encoder: one of another language, whose vectors are in the same "
            "space. For --head dense and bilstm.",
            kind="encoder",
            required=False,
        ),
    }


# ---------------------------------------------------------------- data


def _training_data(
    kind: Classification, inputs: Mapping[str, Any], params: ClassifierParams, job: Job
) -> tuple[Labelled, Labelled]:
    """Read training and development data; without development data, hold out a share."""
    train = _in_language(kind, inputs["train"], params.language, "training", job)
    if inputs.get("dev"):
        dev = _in_language(kind, [inputs["dev"]], params.language, "development", job)
    else:
        order = generator(job.seed, "development examples").permutation(len(train.texts))
        size = round((0.1 if params.dev_share is None else params.dev_share) * len(order))
        train, dev = train.part(sorted(order[size:])), train.part(sorted(order[:size]))
    missing = sorted(set(range(len(kind.classes))) - set(train.classes))
    if len(kind.classes) - len(missing) < 2:
        raise DataError("The training data has a single class.", hint="A classifier needs examples of two at least.")
    if missing:
        names = ", ".join(kind.classes[each] for each in missing)
        job.notices.warn(f"The training data has no example of: {names}. It is never answered.", None)
    return train, dev


def _in_language(kind: Classification, paths: Sequence[Path], language: str, what: str, job: Job) -> Labelled:
    """Read the examples of some files in one language, and tell what was left out."""
    found, others = Labelled(), Counter[str]()
    for path in paths:
        own = kind.read(path)
        for name, each in own.items():
            if name in ("", language):
                found.texts.extend(each.texts)
                found.classes.extend(each.classes)
                found.left_out.update(each.left_out)
            else:
                others[name] += len(each.texts)
    if not found.texts:
        hint = f"It has {', '.join(others)}: use --language {next(iter(others))}." if others else "Check the files."
        raise DataError(f"The {what} data has no examples with a label in '{language}'.", hint=hint)
    left_out = found.left_out + Counter({"in other languages": others.total()} if others else {})
    if left_out:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in left_out.items())
        job.notices.warn(f"{counted(left_out.total(), 'line')} of the {what} data left out ({reasons}).", None)
    return found


def _test_data(kind: Classification, paths: Sequence[Path]) -> dict[str, tuple[Path, Labelled]]:
    """Read the test sets by name. A file with several languages is one for each of them."""
    found: dict[str, tuple[Path, Labelled]] = {}
    names = Counter[str]()
    for path in paths:
        own = kind.read(path)
        for language, each in own.items():
            name = f"{name_of_test(path)}.{language}" if len(own) > 1 else name_of_test(path)
            if not each.texts:
                raise DataError(f"{path} has no examples with a label.", hint="Use a file with gold labels.")
            names[name] += 1
            found[name if names[name] == 1 else f"{name} ({names[name]})"] = path, each
    return found


# ---------------------------------------------------------------- training


@dataclass(frozen=True)
class _Runs:
    """The runs of an evaluation with different seeds.

    Args:
        classifier: The kind of classifiers.
        folder: Folder of the encoder.
        tester: Folder of the encoder of the test data.
        params: Settings, without None.
        job: Device, progress and messages.
        kind: What is classified.
    """

    classifier: type[Classifier]
    folder: Path
    tester: Path
    params: ClassifierParams
    job: Job
    kind: Classification

    def answers(
        self, train: Labelled, dev: Labelled, tests: Mapping[str, tuple[Path, Labelled]], seeds: Sequence[int]
    ) -> tuple[dict[str, list[Indices]], dict[str, Any]]:
        """Train a classifier for every seed that no earlier, interrupted work has finished.

        Returns:
            The classes that each found, by test set, and facts to report.
        """
        encoder = tester = self._open(self.folder)
        if self.tester != self.folder:
            tester = self._open(self.tester)
            self._check_widths(encoder, tester)
        store = row_store(self.job.out / UNFINISHED)
        sets = {"train": train, "dev": dev, **{f"test {name}": test for name, (_, test) in tests.items()}}
        read = {name: self.classifier.read(tester if name.startswith("test ") else encoder, own.texts,
                                           store=store, progress=self.job.progress)
                for name, own in sets.items() if own.texts}  # fmt: skip
        self._tell_truncated(read)
        if "dev" not in read:
            self.job.notices.say("Without development data, the weights of the last step are tested.")
        done = []
        for seed in seeds:
            own = partial(self._train, seed, encoder, read, train, dev)
            done.append(trained_once(f"seed {seed}", self.job, own))
            encoder = None if self.classifier.tunes else encoder
        facts = {
            "head": self.params.head,
            "seeds": list(seeds),
            "training_examples": len(train.texts),
            "development_examples": len(dev.texts),
            **{name: [each[name] for each in done] for name in ("best_step", "dev_accuracy") if dev.texts},
            "steps": done[0]["steps"],
            **{name: getattr(self.params, name) for name in ("batch_size", "learning_rate", "pooling", "max_length")},
        }
        return {name: [np.array(each["answers"][name]) for each in done] for name in tests}, facts

    def _open(self, folder: Path) -> Any:
        return open_encoder(folder, self.params.pooling or "auto", self.job, max_length=self.params.max_length)

    def _check_widths(self, encoder: Any, tester: Any) -> None:
        widths = [self.classifier.width(each) for each in (encoder, tester)]
        if widths[0] != widths[1]:
            raise ConfigError(f"--test-encoder has vectors of {widths[1]:,} numbers, and --encoder of {widths[0]:,}.",
                              hint="Give two encoders whose vectors are in the same space.")  # fmt: skip

    def _tell_truncated(self, read: Mapping[str, Examples]) -> None:
        found = sum(each.truncated for each in read.values())
        if found:
            total = sum(map(len, read.values()))
            self.job.notices.warn(
                f"{found:,} of {counted(total, self.kind.task.item)} are longer than the encoder reads, and are cut.",
                "Use a larger --max-length, if the encoder can take it.",
            )

    def _train(
        self, seed: int, encoder: Any, read: Mapping[str, Examples], train: Labelled, dev: Labelled
    ) -> dict[str, Any]:
        """Train one classifier in the folder of the job, and return its answers."""
        from lexenc.training.classification import ClassificationObjective, accuracy, predicted_classes
        from lexenc.training.trainer import Trainer, Validation

        each, classes, count = len(train.texts[0]), len(self.kind.classes), len(train.texts)
        classifier = self.classifier(encoder or self._open(self.folder), texts=each, classes=classes, seed=seed)
        objective = ClassificationObjective(classifier, read["train"], train.gold)
        trainer = Trainer(objective, schedule=self.params, seed=seed)
        if "dev" in read:
            score = partial(accuracy, classifier, read["dev"], dev.gold)
            trainer.evaluation = Validation(score, self.params.epoch_steps(count))
        train_in_folder(trainer, self.job, stage=f"eval {self.kind.task.name}", examples=counted(count, "example"))
        return {
            "steps": trainer.total,
            **({"best_step": trainer.best.step, "dev_accuracy": trainer.best.score} if trainer.best else {}),
            "answers": {name.removeprefix("test "): predicted_classes(classifier, each).tolist()
                        for name, each in read.items() if name.startswith("test ")},
        }  # fmt: skip

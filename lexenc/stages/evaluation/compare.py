"""compare: two evaluations of the same questions -> paired bootstrap of their difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lexenc.artifact import Manifest, maker_of
from lexenc.errors import ConfigError, DataError
from lexenc.files.link_counts import is_link_counts
from lexenc.files.similarities import is_similarities
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage, Table
from lexenc.stages.evaluation.compare_alignments import compare_alignments
from lexenc.stages.evaluation.compare_similarities import compare_similarities

if TYPE_CHECKING:
    import numpy as np

    from lexenc.files.predictions import Prediction


@dataclass(frozen=True)
class CompareParams:
    """Parameters of `compare`."""

    metric: Literal["precision_at_1", "precision_at_5", "precision_at_10", "reciprocal_rank", "average_precision"] = (
        param(
            "precision_at_1",
            "What is compared, question by question; of eval xlsim always Spearman, of eval alignment always AER, "
            "precision, recall and F1.",
        )
    )
    questions: Literal["covered", "all"] = param(
        "covered",
        "covered: those with vectors on both sides in both evaluations (of eval xel: the answerable mentions); "
        "all: what has none is wrong.",
    )
    draws: int = param(10_000, "Bootstrap resamplings.", ge=100)
    level: float = param(0.95, "Share of draws inside the interval.", gt=0, le=0.999)


@dataclass(frozen=True)
class _Convention:
    """How the answers of an evaluation were found.

    Args:
        retrieval: How they were ranked.
        direction: Which language asked.
        search_space: What there was to choose from.
        search_space_words: How many.
        dictionary: The test dictionary or the mentions, as the user named them.
        dictionary_sha256: Digest of their content.
        task: What was evaluated.
        candidates_sha256: Digest of what there was to choose from, where the evaluation gives one.
        case: How case was treated, where the evaluation says so.
    """

    retrieval: str
    direction: str
    search_space: str
    search_space_words: int
    dictionary: str
    dictionary_sha256: str
    task: str = "bli"
    candidates_sha256: str = ""
    case: str = ""

    @property
    def restricted(self) -> bool:
        """Whether there were only the words of the test dictionary to choose from."""
        return self.search_space.startswith("test")

    @property
    def space(self) -> str:
        """The search space with its size."""
        unit = "word" if self.task == "bli" else "name"
        told = f", sha256 {self.candidates_sha256[:8]}" if self.candidates_sha256 else ""
        return f"{self.search_space} ({counted(self.search_space_words, unit)}{told})"


_Both = tuple[_Convention | None, _Convention | None]


def compare(inputs: dict[str, Any], params: CompareParams, job: Job) -> Outcome:
    """Compare two evaluations."""
    from lexenc.evaluation.bootstrap import paired_difference
    from lexenc.files.predictions import predictions_file, read_predictions
    from lexenc.randomness import generator

    first, second = inputs["first"], inputs["second"]
    if _both(first, second, is_link_counts, "word alignment"):
        return compare_alignments(
            first, second, job, metric=params.metric, questions=params.questions, draws=params.draws, level=params.level
        )
    if _both(first, second, is_similarities, "word similarity"):
        return compare_similarities(
            first,
            second,
            job,
            metric=params.metric,
            questions=params.questions,
            draws=params.draws,
            level=params.level,
        )
    places = [predictions_file(inputs[name]) for name in ("first", "second")]
    known: _Both = (_convention_of(places[0]), _convention_of(places[1]))
    _check_metric(known, params)
    pairs = _matched(read_predictions(places[0]), read_predictions(places[1]), params.questions, _folded(places))
    alike = _check_conventions(known, inputs, job)
    if params.metric == "average_precision" and params.questions == "covered":
        _check_golds(pairs, job)
    left, right = (_values([pair[side] for pair in pairs], params) for side in (0, 1))
    found = paired_difference(
        left, right, generator=generator(job.seed, "paired bootstrap"), draws=params.draws, level=params.level
    )
    result = {
        "task": "compare",
        "metric": params.metric,
        "questions": params.questions,
        "out_of_vocabulary": "left out" if params.questions == "covered" else "counted wrong",
        "count": len(pairs),
        "first": float(left.mean()),
        "second": float(right.mean()),
        "difference": found.mean,
        "difference_low": found.low,
        "difference_high": found.high,
        "p_value": found.p_value,
        "shown": found.shown,
        "conventions": "not checked" if alike is None else "alike" if alike else "different",
        "first_convention": None if known[0] is None else asdict(known[0]),
        "second_convention": None if known[1] is None else asdict(known[1]),
        "draws": params.draws,
        "level": params.level,
        "seed": job.seed,
    }
    return Outcome({"difference": found.mean, "shown": found.shown}, [result], [_table(result, known, inputs)])


def _both(first: Path, second: Path, is_one: Callable[[Path], bool], kind: str) -> bool:
    """Tell whether two evaluations are of one kind.

    Raises:
        DataError: If only one is.
    """
    kinds = [is_one(each) for each in (first, second)]
    if len(set(kinds)) == 2:
        one, other = (first, second) if kinds[0] else (second, first)
        raise DataError(
            f"{one} is an evaluation of {kind}, {other} is none.",
            hint="Compare two of one kind of evaluation.",
        )
    return kinds[0]


def _check_metric(known: _Both, params: CompareParams) -> None:
    """Refuse what needs places that an evaluation did not look at.

    Raises:
        ConfigError: If eval xel is asked for more than whether the answer is among the first.
    """
    if "xel" in _tasks(known) and not params.metric.startswith("precision"):
        raise ConfigError(
            f"--metric {params.metric} needs every place, but eval xel looks at the first 10 only.",
            hint="Compare precision_at_1, precision_at_5 or precision_at_10.",
        )


def _tasks(known: _Both) -> set[str]:
    return {own.task for own in known if own is not None}


def _numbered(rows: Sequence[Prediction]) -> dict[tuple[str, int], Prediction]:
    """Give each question a name of its own: a mention may come several times, and each time counts."""
    seen: Counter[str] = Counter()
    table = {}
    for row in rows:
        table[row.source, seen[row.source]] = row
        seen[row.source] += 1
    return table


def _folded(places: Sequence[Path]) -> Path | None:
    """Give the evaluation that alone was made with --lowercase; None where both or none were, or nobody knows."""
    makers = [maker_of(place.parent) for place in places]
    if not all(maker is not None and "lowercase" in maker.params for maker in makers):
        return None
    folded = [place.parent for maker, place in zip(makers, places, strict=True) if maker and maker.params["lowercase"]]
    return folded[0] if len(folded) == 1 else None


def _matched(
    first: Sequence[Prediction], second: Sequence[Prediction], questions: str, folded: Path | None = None
) -> list[tuple[Prediction, Prediction]]:
    """Pair the answers to the same questions.

    Args:
        first: Answers of one evaluation.
        second: Of the other.
        questions: Which count.
        folded: The evaluation that alone folded case, which explains what differs.

    Raises:
        DataError: If the two evaluations asked different questions, or none that counts is left.
    """
    asked, known = _numbered(first), _numbered(second)
    case = f"Only {folded} was made with --lowercase: evaluate both with it, or both without." if folded else None
    if set(asked) != set(known):
        only = len(set(asked) ^ set(known))
        words = f"{counted(only, 'source word')} {'is' if only == 1 else 'are'} in one of them only"
        raise DataError(
            f"The evaluations asked different questions ({words}).",
            hint=case or "Evaluate both with the same test dictionary (or mentions), --direction and --lowercase.",
        )
    for key, row in asked.items():
        if set(row.gold) != set(known[key].gold):
            raise DataError(f"The gold answers of '{row.source}' differ.", hint=case or "Use the same test file.")
    pairs = [(row, known[key]) for key, row in asked.items()]
    kept = pairs if questions == "all" else [pair for pair in pairs if pair[0].covered and pair[1].covered]
    if not kept:
        raise DataError("No question is covered by both evaluations.", hint="Use --questions all.")
    return kept


# ---------------------------------------------------------------- conventions


def _convention_of(place: Path) -> _Convention | None:
    """Give the convention of predictions, or None where no manifest of an evaluation tells it."""
    maker = maker_of(place.parent)
    if maker is None or maker.stage not in _READERS or place.name not in maker.outputs:
        return None
    return _READERS[maker.stage](maker)


def _translation_convention(maker: Manifest) -> _Convention:
    head, dictionary = maker.results[0], maker.inputs["dictionary"][0]
    return _Convention(
        head["retrieval"],
        head["direction"],
        head["search_space"],
        head["search_space_words"],
        dictionary.given,
        dictionary.sha256,
    )


def _linking_convention(maker: Manifest) -> _Convention:
    head, mentions = maker.results[0], maker.inputs["mentions"][0]
    return _Convention(
        f"{head['similarity']} ({head['search']})",
        "mention to concept",
        "knowledge base",
        head["names"],
        mentions.given,
        mentions.sha256,
        "xel",
        head["knowledge_base_sha256"],
        head["case"],
    )


_READERS = {"eval bli": _translation_convention, "eval xel": _linking_convention}


def _check_conventions(known: _Both, inputs: dict[str, Any], job: Job) -> bool | None:
    """Warn of what makes the numbers of two evaluations incomparable; another retrieval does not.

    Returns:
        Whether direction, dictionary and search space are alike; None where that cannot be known.
    """
    one, other = known
    if one is None or other is None:
        return None
    clashes = _linking_clashes(one, other) if "xel" in _tasks(known) else _translation_clashes(one, other)
    for what, left, right, option in clashes:
        job.notices.warn(
            f"The evaluations {what}: {left} in {inputs['first']}, {right} in {inputs['second']}.",
            f"Evaluate both with the same {option}.",
        )
    return not clashes


def _linking_clashes(one: _Convention, other: _Convention) -> list[tuple[str, str, str, str]]:
    """Give what two evaluations of entity linking do differently: what, both sides, and the option."""
    clashes = []
    if one.dictionary_sha256 != other.dictionary_sha256:
        clashes.append(("read different mentions", *_dictionaries(one, other), "--mentions"))
    if one.candidates_sha256 != other.candidates_sha256:
        clashes.append(("chose from different names", one.space, other.space, "--knowledge-base"))
    if one.case != other.case:
        clashes.append(("treated case differently", one.case, other.case, "--lowercase"))
    return clashes


def _translation_clashes(one: _Convention, other: _Convention) -> list[tuple[str, str, str, str]]:
    """Give the same of word translation."""
    clashes = []
    if one.direction != other.direction:
        clashes.append(("asked in different directions", one.direction, other.direction, "--direction"))
    if one.dictionary_sha256 != other.dictionary_sha256:
        clashes.append(("read different dictionaries", *_dictionaries(one, other), "--dictionary"))
    if one.restricted != other.restricted:
        clashes.append(("chose from different candidates", one.space, other.space, "--candidates"))
    elif one.search_space == other.search_space and one.search_space_words != other.search_space_words:
        clashes.append(("chose from different numbers of words", one.space, other.space, "vocabularies and --limit"))
    return clashes


def _dictionaries(one: _Convention, other: _Convention) -> tuple[str, str]:
    """Name two dictionaries, by their content too where they have one name."""
    if one.dictionary != other.dictionary:
        return one.dictionary, other.dictionary
    return (
        f"{one.dictionary} (sha256 {one.dictionary_sha256[:8]})",
        f"{other.dictionary} (sha256 {other.dictionary_sha256[:8]})",
    )


def _check_golds(pairs: Sequence[tuple[Prediction, Prediction]], job: Job) -> None:
    """Warn where the two average over different translations of a word."""
    differing = sum(len(one.ranks) != len(other.ranks) for one, other in pairs)
    if differing:
        job.notices.warn(
            f"For {counted(differing, 'question')} of {len(pairs):,} the evaluations have vectors for different "
            "numbers of translations, and average over those only.",
            "With --questions all every translation counts in both.",
        )


# ---------------------------------------------------------------- values


def _values(rows: Sequence[Prediction], params: CompareParams) -> np.ndarray:
    """Score every question as `eval bli` does per source word: in vocabulary where covered, else over all lines."""
    import numpy as np

    from lexenc.evaluation.bli import score

    ranks = [np.array(row.ranks if row.covered else [], dtype=np.int64) for row in rows]
    golds = [len(own) for own in ranks] if params.questions == "covered" else [len(row.gold) for row in rows]
    scores = score(ranks, golds)
    if params.metric == "average_precision":
        return scores.average
    if params.metric == "reciprocal_rank":
        return scores.reciprocal
    return scores.hits[int(params.metric.rsplit("_", 1)[1])]


_COUNTED = {
    ("bli", "covered"): "words and translations without vectors left out, as in the headline of eval bli",
    ("bli", "all"): "words and translations without vectors are wrong, as in 'all lines' of eval bli",
    ("xel", "covered"): "mentions whose concept is in the knowledge base, as in 'concepts, answerable' of eval xel",
    ("xel", "all"): "mentions whose concept is not in the knowledge base are wrong, as in 'concepts, all' of eval xel",
}


def _table(result: dict[str, Any], known: _Both, inputs: dict[str, Any]) -> Table:
    answer = "yes" if result["shown"] else "no: the interval covers zero"
    if result["conventions"] == "different":
        answer += " (different conventions)"
    rows = [
        [f"first: {inputs['first']}", f"{100 * result['first']:.2f}"],
        [f"second: {inputs['second']}", f"{100 * result['second']:.2f}"],
        ["difference", f"{100 * result['difference']:+.2f}"],
        [
            f"{100 * result['level']:.0f} % interval",
            f"{100 * result['difference_low']:+.2f} to {100 * result['difference_high']:+.2f}",
        ],
        ["p value (two-sided)", f"{result['p_value']:.4f}"],
        ["difference shown", answer],
    ]
    task = "xel" if "xel" in _tasks(known) else "bli"
    note = (
        f"{counted(result['count'], 'question')} ({result['questions']}: {_COUNTED[task, result['questions']]}), "
        f"paired bootstrap, {result['draws']:,} draws. {_found(known)}"
    )
    return Table(f"{result['metric'].replace('_', ' ')} (x100)", ["what", "value"], rows, note)


def _found(known: _Both) -> str:
    """Say how the answers of both were found, as far as that is known."""
    one, other = known
    if one is None or other is None:
        which = [name for name, own in zip(("first", "second"), known, strict=True) if own is None]
        return (
            f"Not checked: whether both have the same direction, dictionary and candidates; {' and '.join(which)} "
            f"{'has' if len(which) == 1 else 'have'} no manifest of an evaluation."
        )
    told = [
        f"{name} {left}" if left == right else f"{name} {left} against {right}"
        for name, left, right in (
            ("retrieval", one.retrieval, other.retrieval),
            ("direction", one.direction, other.direction),
            ("candidates", one.space, other.space),
        )
    ]
    return f"Answers: {', '.join(told)}."


COMPARE = Stage(
    name="compare",
    version=3,
    inputs={
        "first": Input(
            "Predictions: a folder that eval bli, xel, xlsim or alignment --out wrote, or a file of it (one lambda).",
            positional=True,
        ),
        "second": Input("The other system's.", positional=True),
    },
    params=CompareParams,
    run=compare,
    examples=(("lexenc compare runs/scores-tuned runs/scores-untuned", ""),),
    uses_seed=True,
    out_required=False,
)

"""The probabilities of a lexicon: learnt from entries or read, measured, and written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexenc.errors import DataError
from lexenc.files.text import write_lines

if TYPE_CHECKING:
    import numpy as np

    from lexenc.evaluation.calibration import Calibrator
    from lexenc.stage import Job
    from lexenc.stages.lexical.evidence import Evidence
    from lexenc.stages.lexical.induce import InduceParams

CALIBRATION = "calibration.json"
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
# A pair to a word stands in a lexicon from this probability on. On the bundled vectors a tenth of the best candidates
# is below, of which less than 2 in 100 are right: half a percent of all right ones. At 0.1 it would be one percent, at
# 0.2 six to twelve. Whoever teaches with a lexicon or prints it wants far more: see the curve.
FLOOR = 0.05
_FORMAT = 1
_HEADLINE = 0.9


@dataclass(frozen=True)
class Calibration:
    """What turns features into probabilities, for the best candidate and for the others, and how it was learnt.

    Args:
        first: For the best candidate of a word.
        later: For the others.
        basis: What it was measured on, one sentence.
        optimistic: Whether its probabilities are known to be too high.
    """

    first: Calibrator
    later: Calibrator
    basis: str
    optimistic: bool

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Give the probability of every candidate. Shape [q, k, f] to [q, k]."""
        import numpy as np

        result = np.zeros(features.shape[:2])
        result[:, 0] = self.first.probabilities(features[:, 0])
        for place in range(1, features.shape[1]):
            result[:, place] = self.later.probabilities(features[:, place])
        return result


def fitted(evidence: Evidence, params: InduceParams, job: Job) -> tuple[Calibration, dict[str, Any]]:
    """Learn probabilities, and measure them on questions that the fit did not see."""
    import numpy as np

    from lexenc.evaluation.calibration import MODELS, choose_calibrator

    correct = evidence.shuffled if params.control == "shuffled-pairs" else evidence.correct
    features, depth = evidence.features, evidence.features.shape[1]
    first = choose_calibrator(features[:, 0], correct[:, 0], evidence.folds)
    parts, later = [first.unseen], None
    if depth > 1:
        flat = features[:, 1:].reshape(-1, features.shape[2])
        folds = np.repeat(evidence.folds, depth - 1)
        later = choose_calibrator(flat, correct[:, 1:].ravel(), folds, models=MODELS[:2])
        parts.append(later.unseen)
    calibration = Calibration(
        first.calibrator,
        (later or first).calibrator,
        evidence.sentence,
        evidence.basis == "optimistic",
    )
    report = _measured(parts, correct, evidence, params, job)
    report["headline"] |= {"model": first.calibrator.model, "model_losses": first.losses}
    report["others"] += [_control(evidence, first.calibrator.model, params)]
    return calibration, report


def _measured(
    parts: list[np.ndarray], correct: np.ndarray, evidence: Evidence, params: InduceParams, job: Job
) -> dict[str, Any]:
    """Describe probabilities beside outcomes: the best candidates, then the others."""
    from lexenc.evaluation.reliability import precision_coverage, reliability

    first, right = parts[0], correct[:, 0]
    threshold = _threshold(params)
    thresholds = sorted({*(params.thresholds or THRESHOLDS), threshold})
    points = precision_coverage(first, right, thresholds)
    (own,) = (point for point in points if point.threshold == threshold)
    head = _errors(first, right, job, "best candidate")
    head |= {
        "threshold": threshold,
        "precision_at_threshold": own.precision,
        "precision_at_threshold_low": own.low,
        "precision_at_threshold_high": own.high,
        "coverage_at_threshold": own.coverage,
        "precision_at_1": float(right.mean()),
        **({} if evidence.seen is None else {"precision_at_1_seen": evidence.seen}),
        "thresholds": [asdict(point) for point in points],
        "entries": len(right),
        "entries_unanswerable": evidence.unanswerable,
        "basis": evidence.basis,
        "optimistic": evidence.basis == "optimistic",
    }
    others = []
    if len(parts) > 1:
        others.append(_errors(parts[1], correct[:, 1:].ravel(), job, "candidates of rank 2 and later"))
    return {"headline": head, "others": others, "bins": [asdict(each) for each in reliability(first, right)]}


def _threshold(params: InduceParams) -> float:
    """Give the probability at which precision is reported: the one asked for, or what a printed lexicon needs."""
    return params.min_probability if params.min_probability > FLOOR else _HEADLINE


def _errors(probabilities: np.ndarray, correct: np.ndarray, job: Job, what: str) -> dict[str, Any]:
    from lexenc.evaluation import reliability as core
    from lexenc.randomness import generator

    low, high = core.calibration_interval(probabilities, correct, generator=generator(job.seed, f"noise {what}"))
    return {
        "candidates": what,
        "expected_calibration_error": core.calibration_error(probabilities, correct),
        "expected_calibration_error_low": low,
        "expected_calibration_error_high": high,
        "expected_calibration_error_equal_width": core.calibration_error(probabilities, correct, binning="width"),
        "expected_calibration_error_if_perfect": core.calibration_floor(
            probabilities, generator=generator(job.seed, f"floor {what}")
        ),
        "brier_score": core.brier_score(probabilities, correct),
        "log_loss": core.log_loss(probabilities, correct),
    }


def _control(evidence: Evidence, model: str, params: InduceParams) -> dict[str, Any]:
    """Calibrate on every word's translations given to another word."""
    from lexenc.evaluation.calibration import cross_fit

    wrong = evidence.shuffled[:, 0]
    unseen = cross_fit(evidence.features[:, 0], wrong, evidence.folds, model=model)
    return {
        "control": "shuffled dictionary",
        "base_rate": float(wrong.mean()),
        "mean_probability": float(unseen.mean()),
        "largest_probability": float(unseen.max()),
        "above_threshold": int((unseen >= _threshold(params)).sum()),
    }


def tested(
    calibration: Calibration, evidence: Evidence | None, path: Path, params: InduceParams, job: Job
) -> dict[str, Any]:
    """Measure probabilities that were learnt before, where there are held-out entries."""
    if evidence is None:
        return {"headline": {"basis": "learnt before", "calibration": str(path)}, "others": [], "bins": []}
    found = calibration.probabilities(evidence.features)
    parts = [found[:, 0], found[:, 1:].ravel()] if found.shape[1] > 1 else [found[:, 0]]
    report = _measured(parts, evidence.correct, evidence, params, job)
    report["headline"] |= {"model": calibration.first.model, "calibration": str(path)}
    return report


def read_calibration(path: Path, params: InduceParams, job: Job) -> Calibration:
    """Take probabilities that were learnt before."""
    from lexenc.evaluation.calibration import Calibrator

    place = path / CALIBRATION if path.is_dir() else path
    if not place.is_file():
        raise DataError(f"{path} holds no {CALIBRATION}.", hint="Give a folder that lexenc induce made.")
    try:
        body = json.loads(place.read_text(encoding="utf-8"))
        _check_version(place, body, params)
        calibration = Calibration(
            Calibrator.from_dict(body["first"]),
            Calibrator.from_dict(body["later"]),
            body["basis"],
            bool(body["optimistic"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(place, error) from None
    if calibration.optimistic:
        job.notices.warn(f"{place}: {calibration.basis}.", "Learn probabilities again with --held-out test.tsv.")
    return calibration


def _check_version(place: Path, body: dict[str, Any], params: InduceParams) -> None:
    """Refuse what was learnt from other numbers."""
    from lexenc.lexical.induction import FEATURES

    if body["format"] != _FORMAT or tuple(body["features"]) != FEATURES:
        raise DataError(f"{place} is of another version.", hint="Make it again with lexenc induce.")
    if body["csls_neighbours"] != params.csls_neighbours:
        raise DataError(
            f"{place} was learnt with {body['csls_neighbours']} CSLS neighbours, not {params.csls_neighbours}.",
            hint=f"Use --csls-neighbours {body['csls_neighbours']}.",
        )


def _damaged(place: Path, error: Exception) -> DataError:
    return DataError(f"{place} is no calibration ({error}).", hint="Make it again with lexenc induce.")


def write_calibration(out: Path, calibration: Calibration, report: dict[str, Any], params: InduceParams) -> None:
    """Write what was learnt, and the curve of precision and coverage."""
    from lexenc.files.text import writing
    from lexenc.lexical.induction import FEATURES

    body = {
        "format": _FORMAT,
        "features": list(FEATURES),
        "csls_neighbours": params.csls_neighbours,
        "direction": params.direction,
        "basis": calibration.basis,
        "optimistic": calibration.optimistic,
        "measured": report["headline"],
        "bins": report["bins"],
        "first": calibration.first.as_dict(),
        "later": calibration.later.as_dict(),
    }
    with writing(out / CALIBRATION) as stream:
        stream.write(json.dumps(body, ensure_ascii=False, indent=1).encode("utf-8") + b"\n")
    if report["bins"]:
        rows = report["headline"]["thresholds"]
        lines = ["\t".join(rows[0])]
        lines += ["\t".join("" if cell is None else f"{cell:g}" for cell in row.values()) for row in rows]
        write_lines(out / "curve.tsv", lines)

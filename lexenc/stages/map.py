"""map: two vector files + dictionary -> one shared space."""

from __future__ import annotations

import collections.abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lexenc.errors import ConfigError, unknown_name
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.reading import (
    fold_vectors,
    language_param,
    lowercase_param,
    read_dictionary,
    tell_findings,
    usable_rows,
)

if TYPE_CHECKING:
    from lexenc.files.vectors import Vectors
    from lexenc.lexical.mapping import Mapping

_ACTIONS = ("unit", "center", "unitdim", "centeremb", "none")


@dataclass(frozen=True)
class MapParams:
    """Parameters of `map`; the defaults are VecMap's supervised preset."""

    kind: Literal["advanced", "orthogonal", "unconstrained"] = param(
        "advanced", "advanced: both languages move; orthogonal: a rotation of the source; unconstrained: least squares."
    )
    normalise: tuple[str, ...] = param(
        ("unit", "center", "unit"), "Steps in order on each vocabulary: unit, center, unitdim, centeremb, none."
    )
    whiten: bool = param(True, "Make the dimensions of the dictionary rows uncorrelated first (advanced).")
    source_reweight: float = param(0.5, "Exponent of the singular values on the source side; 0 is off (advanced).")
    target_reweight: float = param(0.5, "The same on the target side.")
    source_dewhiten: Literal["source", "target", "none"] = param(
        "source", "Whose whitening is undone on the source side."
    )
    target_dewhiten: Literal["source", "target", "none"] = param(
        "target", "Whose whitening is undone on the target side."
    )
    reduce_to: int | None = param(None, "Keep the first dimensions only.", ge=1)
    poor_dictionary: Literal["rotate", "truncate", "refuse"] = param(
        "rotate",
        "With fewer independent pairs than dimensions: rotate without whitening, truncate the rank, or refuse.",
    )
    limit: int | None = param(None, "Read the first words of each file only; they are the most frequent.", ge=1)
    duplicates: Literal["first", "last"] = param("first", "Which vector of a repeated word counts (VecMap: last).")
    bad_lines: Literal["error", "skip"] = param("error", "What to do with lines that are no vector.")
    lowercase: bool = lowercase_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    control: Literal["none", "shuffled-pairs"] = param(
        "none", "shuffled-pairs: give every source another's target, to see what mapping does without knowledge."
    )


def check_map(inputs: collections.abc.Mapping[str, Any], params: MapParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    faults = [unknown_name("normalisation step", step, _ACTIONS) for step in params.normalise if step not in _ACTIONS]
    if bool(inputs.get("dictionary")) == bool(inputs.get("mapping")):
        hint = "A dictionary learns a mapping; --mapping applies one that was learnt before."
        faults.append(ConfigError("map needs either --dictionary or --mapping.", hint=hint))
    return faults


def map_vectors(inputs: dict[str, Any], params: MapParams, job: Job) -> Outcome:
    """Learn a mapping from a dictionary, or take a saved one, and move both languages."""
    from lexenc.files.spaces import Space, save_space
    from lexenc.files.vectors import Vectors, read_two
    from lexenc.stages.mappings import load_mapping, save_mapping

    source, target = read_two(
        inputs["source"],
        inputs["target"],
        limit=params.limit,
        duplicates=params.duplicates,
        bad_lines=params.bad_lines,
        progress=job.progress,
    )
    for vectors in (source, target):
        tell_findings(vectors, job)
    if params.lowercase:
        source, target = fold_vectors(source, params.source_language), fold_vectors(target, params.target_language)
    if inputs.get("mapping") is not None:
        mapping = load_mapping(inputs["mapping"])
    else:
        mapping = _learn(source, target, inputs, params, job)
    moved = [
        Vectors(
            source.words, mapping.apply_source(source.matrix, out=_in_place(source, mapping.source)), source.report
        ),
        Vectors(
            target.words, mapping.apply_target(target.matrix, out=_in_place(target, mapping.target)), target.report
        ),
    ]
    save_space(job.out, Space(*moved))
    save_mapping(job.out, mapping)
    return Outcome(
        {
            "source_words": len(source.words),
            "target_words": len(target.words),
            "dimensions": mapping.source.shape[1],
            "pairs_used": mapping.pairs,
            "rank": mapping.rank,
        }
    )


def _in_place(vectors: Vectors, matrix: Any) -> Any:
    """Give the array that the mapped vectors may take: their own where the size stays and nobody else reads it."""
    return vectors.matrix if matrix.shape[0] == matrix.shape[1] and vectors.matrix.flags.writeable else None


def _learn(source: Vectors, target: Vectors, inputs: dict[str, Any], params: MapParams, job: Job) -> Mapping:
    from lexenc.lexical.mapping import fit_mapping, fit_normalisation
    from lexenc.randomness import generator

    _check_sizes(source, target, params)
    pairs = read_dictionary(inputs["dictionary"], params)
    languages = (params.source_language, params.target_language)
    rows = usable_rows(pairs, source.words, target.words, job, lowercase=params.lowercase, languages=languages)
    places = rows.target
    if params.control == "shuffled-pairs":
        places = generator(job.seed, "shuffled pairs").permutation(places)
    left, right = (fit_normalisation(each.matrix, params.normalise) for each in (source, target))
    mapping = fit_mapping(
        left.apply(source.matrix[rows.source]),
        right.apply(target.matrix[places]),
        kind=params.kind,
        whiten=params.whiten,
        source_reweight=params.source_reweight,
        target_reweight=params.target_reweight,
        source_dewhiten=None if params.source_dewhiten == "none" else params.source_dewhiten,
        target_dewhiten=None if params.target_dewhiten == "none" else params.target_dewhiten,
        reduce_to=params.reduce_to,
        rank_policy=params.poor_dictionary,
    )
    if mapping.announcement:
        job.notices.warn(mapping.announcement, "Use a larger dictionary, or vectors with fewer dimensions.")
    return mapping.normalised_by(left, right)


def _check_sizes(source: Vectors, target: Vectors, params: MapParams) -> None:
    """Refuse de-whitening across languages of different size; everything else works on any sizes."""
    left, right = source.matrix.shape[1], target.matrix.shape[1]
    crossed = params.source_dewhiten == "target" or params.target_dewhiten == "source"
    if left != right and (crossed or params.reduce_to is None):
        raise ConfigError(
            f"Source vectors have {counted(left, 'column')}, target vectors {right}.",
            hint=f"Map needs equal sizes, or --reduce-to {min(left, right)}.",
        )


MAP = Stage(
    name="map",
    version=1,
    summary="Bring the word vectors of two languages into one space with a dictionary.",
    inputs={
        "source": Input("Source vectors: .vec, .vec.gz, GloVe text, word2vec or fastText .bin, or a folder of ours."),
        "target": Input("Target vectors."),
        "dictionary": Input("Training dictionary: source, TAB, target.", required=False),
        "mapping": Input("A mapping learnt before (a folder of map), to apply to other words.", required=False),
    },
    params=MapParams,
    run=map_vectors,
    makes="source/ and target/ (vectors.npy, words.txt) in one space, and mapping.safetensors for new words.",
    examples=(("lexenc map --source en.vec --target de.vec --dictionary train.tsv --out runs/mapped", ""),),
    next_step="lexenc eval bli --vectors {out} --dictionary test.tsv",
    uses_seed=True,
    check=check_map,
)

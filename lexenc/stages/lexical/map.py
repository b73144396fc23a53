"""map: two vector files (+ dictionary) -> one shared space."""

from __future__ import annotations

import collections.abc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from lexenc.device import CPU, choose_device
from lexenc.errors import ConfigError, unknown_name
from lexenc.files.text import counted
from lexenc.parameters import param
from lexenc.resources import read_preset
from lexenc.search import RETRIEVAL
from lexenc.stage import Input, Job, Outcome, Stage
from lexenc.stages.lexical.hub_settings import anchored_params, check_hub, hub_next_step, is_hub_wanted
from lexenc.stages.lexical.map_learning import confidence_table, learn_mapping
from lexenc.stages.lexical.new_words import check_new_words, map_new_words
from lexenc.stages.reading import fold_vectors, language_param, lowercase_param, tell_findings

if TYPE_CHECKING:
    from lexenc.files.vectors import Vectors

_ACTIONS = ("unit", "center", "unitdim", "centeremb", "none")


Preset = Literal[
    "supervised",
    "semi-supervised",
    "identical",
    "unsupervised",
    "aaai2018",
    "acl2017",
    "emnlp2016",
    "refinement",
    "rcsls",
]
# The preset that a kind of supervision takes where none is named.
_PRESET_OF = {
    "dictionary": "supervised",
    "semi": "semi-supervised",
    "identical": "identical",
    "numerals": "identical",
    "none": "unsupervised",
}


@dataclass(frozen=True)
class MapParams:
    """Parameters of `map`. Those without a default take it from the preset, `resources/presets/*.yaml`."""

    supervision: Literal["dictionary", "semi", "identical", "numerals", "none"] | None = param(
        None,
        "What is known: dictionary: only its pairs count (the default); semi: its pairs start self-learning; "
        "identical: words written alike start it; numerals: numbers written alike; none: the vectors alone.",
    )
    preset: Preset | None = param(
        None, "A well-known way of mapping; other options change single values of it. See: lexenc list presets"
    )
    kind: Literal["advanced", "orthogonal", "unconstrained", "rcsls"] | None = param(
        None,
        "advanced: both languages move (the default); orthogonal: a rotation of the source; unconstrained: least "
        "squares; rcsls: learnt for CSLS.",
    )
    normalise: tuple[str, ...] | None = param(
        None,
        "Steps in order on each vocabulary: unit, center, unitdim, centeremb, none. By default unit,center,unit.",
    )
    whiten: bool | None = param(
        None, "Make the dimensions of the dictionary rows uncorrelated first (advanced); by default yes."
    )
    source_reweight: float | None = param(
        None, "Exponent of the singular values on the source side; 0 is off (advanced). By default 0.5."
    )
    target_reweight: float | None = param(None, "The same on the target side.")
    source_dewhiten: Literal["source", "target", "none"] | None = param(
        None, "Whose whitening is undone on the source side; by default source."
    )
    target_dewhiten: Literal["source", "target", "none"] | None = param(
        None, "Whose whitening is undone on the target side; by default target."
    )
    reduce_to: int | None = param(None, "Keep the first dimensions only.", ge=1)
    poor_dictionary: Literal["rotate", "truncate", "refuse"] = param(
        "rotate",
        "With fewer independent pairs than dimensions: rotate without whitening, truncate the rank, or refuse.",
    )
    vocabulary_cutoff: int | None = param(
        None, "Most frequent words of each language that self-learning looks at; by default 20000.", ge=2
    )
    csls_neighbours: int | None = param(
        None, "Neighbours averaged for CSLS in self-learning and rcsls; 0 takes the cosine. By default 10.", ge=0
    )
    induction: Literal["union", "forward", "backward", "mutual"] | None = param(
        None, "Whose best partners make the dictionary: both languages' (union, the default), one's, or mutual ones."
    )
    keep_start: float | None = param(
        None, "Share of the candidates kept at first; 1 drops none. By default 0.1.", gt=0, le=1
    )
    keep_growth: float | None = param(
        None, "Factor on that share whenever the objective stops improving; by default 2.", gt=1
    )
    patience: int | None = param(
        None, "Iterations without improvement before more is kept, or the end; by default 10.", ge=1
    )
    max_iterations: int | None = param(None, "End of self-learning at the latest.", ge=1)
    start_vocabulary: int | None = param(
        None, "Most frequent words compared for the start with --supervision none; by default 4000.", ge=2
    )
    rcsls_steps: int | None = param(None, "Gradient steps of rcsls; by default 10.", ge=1)
    rcsls_rate: float | None = param(None, "First size of its steps, halved when the loss rises; by default 1.", gt=0)
    rcsls_spectral: bool = param(False, "Keep the singular values of rcsls at most 1.")
    arithmetic: Literal["float32", "float64"] = param("float32", "Numbers of self-learning; the last fit is float64.")
    validate_every: int = param(10, "Iterations between two scores on --validation.", ge=1)
    checkpoint_seconds: float = param(60.0, "Time between checkpoints of self-learning.", ge=0, affects_result=False)
    limit: int | None = param(None, "Read the first words of each file only; they are the most frequent.", ge=1)
    duplicates: Literal["first", "last"] = param("first", "Which vector of a repeated word counts (VecMap: last).")
    bad_lines: Literal["error", "skip"] = param("error", "What to do with lines that are no vector.")
    lowercase: bool = lowercase_param()
    source_language: str | None = language_param("source")
    target_language: str | None = language_param("target")
    control: Literal["none", "shuffled-pairs"] = param(
        "none", "shuffled-pairs: give every source another's target, to see what mapping does without knowledge."
    )
    hub: str | None = param(
        None, "Map any number of --vectors into the space of this one, which stays where it is; its name there."
    )
    retrieval: tuple[str, ...] = param(
        ("nearest", "csls"), "How answers to --test-dictionaries are ranked.", choices=RETRIEVAL
    )
    compare_alone: bool = param(
        True, "With --test-dictionaries: also map every pair that has a dictionary by itself, for comparison."
    )


def resolve_map(inputs: collections.abc.Mapping[str, Any], params: MapParams) -> MapParams:
    """Fill in what is left open from the preset; for a mapping that is only applied there is nothing to fill in."""
    if inputs.get("mapping"):
        return params
    params = anchored_params(params) if is_hub_wanted(inputs, params) else params
    name = params.preset or _PRESET_OF[params.supervision or "dictionary"]
    preset: dict[str, Any] = read_preset(name) | {"preset": name}
    return replace(params, **{key: value for key, value in preset.items() if getattr(params, key) is None})


def check_map(inputs: collections.abc.Mapping[str, Any], params: MapParams) -> list[ConfigError]:
    """Give the faults that only several values together show."""
    if inputs.get("mapping"):
        return check_new_words(inputs)
    resolved = resolve_map(inputs, params)
    faults = [
        unknown_name("normalisation step", step, _ACTIONS) for step in resolved.normalise or () if step not in _ACTIONS
    ]
    if is_hub_wanted(inputs, params):
        return faults + check_hub(inputs, resolved)
    return faults + _missing_sides(inputs) + _check_pair(inputs, resolved)


def _missing_sides(inputs: collections.abc.Mapping[str, Any]) -> list[ConfigError]:
    """Give the faults of a pair of languages of which something is missing, or something is there that has no use."""
    faults = []
    for side in ("source", "target"):
        if not inputs.get(side):
            help_text = MAP.inputs[side].help
            hint = f"It is the {help_text[:1].lower()}{help_text[1:]}"
            faults.append(ConfigError(f"map needs --{side}.", hint=hint))
    for name, where in _ONLY_WITH.items():
        if inputs.get(name):
            faults.append(ConfigError(f"--{name.replace('_', '-')} is for {where}.", hint=MAP.inputs[name].help))
    return faults


_ONLY_WITH = {
    "source_vocabulary": "--mapping",
    "target_vocabulary": "--mapping",
    "vectors": "--hub",
    "dictionaries": "--hub",
    "test_dictionaries": "--hub",
}


def _check_pair(inputs: collections.abc.Mapping[str, Any], resolved: MapParams) -> list[ConfigError]:
    """Give the faults in what a pair of languages is to be learnt from."""
    faults = []
    dictionary = bool(inputs.get("dictionary"))
    needs = resolved.supervision in ("dictionary", "semi")
    if needs and not dictionary:
        hint = "Without one: --supervision identical, numerals or none. --mapping applies a mapping learnt before."
        faults.append(ConfigError(f"--supervision {resolved.supervision} needs --dictionary.", hint=hint))
    if dictionary and not needs:
        hint = "Use --supervision semi, which starts from it, or leave --dictionary out."
        faults.append(ConfigError(f"--supervision {resolved.supervision} takes no --dictionary.", hint=hint))
    if inputs.get("validation") and resolved.supervision == "dictionary":
        faults.append(ConfigError("--validation is for self-learning.", hint="Score the result with: lexenc eval bli"))
    return faults


def run_map(inputs: dict[str, Any], params: MapParams, job: Job) -> Outcome:
    """Learn a mapping of two languages or of many, or take a saved one.

    Raises:
        ConfigError: If this machine has no such device, whether or not this mapping needs one.
    """
    if job.device_name not in ("auto", CPU.name):
        choose_device(job.device_name, job.precision)
    if is_hub_wanted(inputs, params):
        from lexenc.stages.lexical.hub import map_to_hub

        return map_to_hub(inputs, params, job)
    if inputs.get("mapping") is not None:
        return map_new_words(inputs, params, job)
    return map_vectors(inputs, params, job)


def map_vectors(inputs: dict[str, Any], params: MapParams, job: Job) -> Outcome:
    """Learn a mapping and move both languages."""
    from lexenc.files.spaces import Space, save_space
    from lexenc.files.vectors import read_two
    from lexenc.stages.lexical.mappings import moved, save_mapping

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
    _check_sizes(source, target, params)
    learnt = learn_mapping(source, target, inputs, params, job)
    mapping = learnt.mapping
    save_space(job.out, Space(moved(source, mapping, "source"), moved(target, mapping, "target")))
    save_mapping(job.out, mapping)
    return Outcome(
        {
            "source_words": len(source.words),
            "target_words": len(target.words),
            "dimensions": mapping.source.shape[1],
            "pairs_used": mapping.pairs,
            "rank": mapping.rank,
        }
        | learnt.summary,
        tables=[confidence_table(learnt)] if learnt.confidence is not None else [],
        answer=learnt.confidence is None or learnt.confidence.verdict != "not found",
    )


def _check_sizes(source: Vectors, target: Vectors, params: MapParams) -> None:
    """Refuse de-whitening across languages of different size; everything else works on any sizes."""
    left, right = source.matrix.shape[1], target.matrix.shape[1]
    crossed = params.source_dewhiten == "target" or params.target_dewhiten == "source"
    learns = params.supervision != "dictionary" or params.kind == "rcsls"
    if left != right and (crossed or learns or params.reduce_to is None):
        raise ConfigError(
            f"Source vectors have {counted(left, 'column')}, target vectors {right}.",
            hint=f"Map needs equal sizes, or --reduce-to {min(left, right)}.",
        )


def next_step_of_map(inputs: collections.abc.Mapping[str, Any], params: MapParams) -> str:
    """Give the command to type next."""
    if is_hub_wanted(inputs, params):
        return hub_next_step(inputs, params)
    return "lexenc eval bli --vectors {out} --dictionary test.tsv"


MAP = Stage(
    name="map",
    version=1,
    inputs={
        "source": Input(
            "Source vectors: .vec, .vec.gz, GloVe text, word2vec or fastText .bin, or a folder of ours.", required=False
        ),
        "target": Input("Target vectors.", required=False),
        "dictionary": Input("Training dictionary: source, TAB, target.", required=False),
        "validation": Input("Dictionary that self-learning is watched with; it teaches nothing.", required=False),
        "mapping": Input(
            "A mapping learnt before (a folder of map), to apply to new words of --source, --target or both.",
            required=False,
        ),
        "source_vocabulary": Input(
            "Word list, with --mapping: map these words only; a fastText .bin makes vectors of words that it does not "
            "know.",
            required=False,
        ),
        "target_vocabulary": Input("The same for --target.", required=False),
        "vectors": Input(
            "With --hub or --into: vectors of a language with its name, a BCP-47 code where words are folded.",
            required=False,
            many=True,
            named=True,
        ),
        "dictionaries": Input(
            "With --hub or --into: a folder with en-de.tsv and so on, or a dictionary as en-de=PATH.",
            required=False,
            many=True,
            named=True,
        ),
        "test_dictionaries": Input(
            "The same of test dictionaries; every pair of languages that has one is scored.",
            required=False,
            many=True,
            named=True,
        ),
        "into": Input("A space of --hub that --vectors are added to; what it holds stays as it is.", required=False),
    },
    params=MapParams,
    run=run_map,
    makes="source/ and target/ (vectors.npy, words.txt) in one space, and mapping.safetensors for new words; after "
    "self-learning also iterations.jsonl and induced.tsv, its last dictionary. With --hub a folder with all of these "
    "for every language.",
    examples=(
        ("lexenc map --source en.vec --target de.vec --dictionary train.tsv --out runs/mapped", ""),
        ("lexenc map --supervision identical --source en.vec --target de.vec --out runs/mapped", ""),
        ("lexenc map --supervision semi --dictionary few.tsv --source en.vec --target de.vec --out runs/mapped", ""),
        ("lexenc map --mapping runs/mapped --source model.bin --source-vocabulary words.txt --out runs/new", ""),
        (
            "lexenc map --hub en --vectors en=en.vec --vectors de=de.vec --vectors fr=fr.vec --dictionaries train/ "
            "--test-dictionaries test/ --out runs/hub",
            "",
        ),
        ("lexenc map --into runs/hub --vectors it=it.vec --dictionaries train/ --out runs/hub-it", ""),
    ),
    next_step=next_step_of_map,
    uses_device=True,
    uses_seed=True,
    resumable=True,
    check=check_map,
    resolve=resolve_map,
)

"""Does every stage still give the same results, to the last bit? Record them before a change, compare afterwards.

Runs all stages on the bundled data and on small cuts of the data folder: seed 0, one thread a step, no network. Every
file of every result has its digest recorded, and every number that a manifest or the output reports its value.

Run:  python bench/same_results.py record before.json --work /tmp/same      about four minutes on two cores
      python bench/same_results.py compare before.json --work /tmp/same [--only NAME,NAME]
The lexenc beside the interpreter runs, so that another checkout's environment compares that checkout. The data folder
is found by LEXENC_TEST_DATA, by default ../shared/data. Other packages or another processor may change last bits.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(os.environ.get("LEXENC_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
LEXENC = Path(sys.executable).parent / "lexenc"
ONE = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "RAYON")
FIXED = {f"{name}_NUM_THREADS": "1" for name in ONE} | {
    "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "100", "LC_ALL": "C.UTF-8",
    "LEXENC_SEED": "0", "LEXENC_DEVICE": "cpu", "LEXENC_PRECISION": "float32", "LEXENC_CACHE": "cache",
}  # fmt: skip

# Files, and arrays of files, that are not compared, and why.
LEFT_OUT = {
    "*manifest.json": "has times, paths and versions; its results, summary and tables are compared value by value",
    "*.html": "a page for people; holds the text of other files",
    "*.svg": "a picture of numbers that are compared",
    "*:pooler.dense.weight": "new-encoder writes it without a seed, another one on every run; nothing reads it",
}

# What commands share.
SHORT = {
    "TRAIN": "bundled:lexicon/en-de.train.tsv",
    "TEST": "bundled:lexicon/en-de.test.tsv",
    "SIDES": "--source bundled:static/en --target bundled:static/de",
    "REAL": "--source data/en.vec --target data/de.vec",
    "TUNE": "--pairs data/pairs.tsv --epochs 1 --batch-size 64",
    "ENFR": "--pairs data/enfr.src-tgt --words spaces",
    "WORDS": "--source-vocabulary bundled:static/en --target-vocabulary bundled:static/de",
    "CODES": "--source-language en --target-language de",
}
# Steps: name, command. {out} is the step's own folder; {another step} is that one's, which is run before. A command
# without {out} is one whose output is compared.
STEPS = dict(line.split(maxsplit=1) for line in """
static-en         train-static --text data/text.en --dimensions 100 --epochs 3 --buckets 20000 --minimum-count 3 --write vec,bin --out {out}
static-fr         train-static --text data/text.fr --dimensions 100 --epochs 3 --buckets 20000 --model cbow --language fr --out {out}
fresh-bag         new-encoder --text data/pairs.tsv --kind static --dimensions 64 --vocabulary-size 2000 --out {out}
fresh-bert        new-encoder --text data/text.ende --kind transformer --dimensions 32 --layers 2 --heads 2 --max-length 48 --vocabulary-size 1500 --out {out}
negatives         mine-negatives --pairs data/pairs.tsv --encoder mini --target-vocabulary bundled:static/de --count 5 --max-score 0.9 --out {out}
negatives-both    mine-negatives --pairs data/pairs.tsv --encoder {fresh-bert} --direction both {WORDS} --sampling random --range-min 2 --range-max 40 --relative-margin 0.05 --count 3 --lowercase --out {out}
tuned             finetune {TUNE} --encoder mini --negatives {negatives} --epochs 2 --out {out}
tuned-own-hard    finetune {TUNE} --encoder mini --negatives {negatives} --loss own-hard --out {out}
tuned-symmetric   finetune --pairs data/sentences.tsv --encoder {fresh-bag} --loss symmetric --epochs 2 --batch-size 64 --out {out}
tuned-printed     finetune {TUNE} --encoder mini --negatives {negatives} --loss printed --out {out}
tuned-both-ways   finetune {TUNE} --encoder mini --negatives {negatives} --loss symmetric --out {out}
tuned-shuffled    finetune {TUNE} --encoder mini --control shuffled-pairs --schedule constant --no-mask-known --out {out}
tuned-bert        finetune {TUNE} --encoder {fresh-bert} --negatives {negatives} --learning-rate 1e-3 --out {out}
tuned-bert-hard   finetune {TUNE} --encoder {fresh-bert} --negatives {negatives-both} --loss own-hard --out {out}
tuned-bert-print  finetune {TUNE} --encoder {fresh-bert} --negatives {negatives} --loss printed --out {out}
tuned-bert-multi  finetune {TUNE} --encoder {fresh-bert} --loss multi-similarity --out {out}
tuned-bert-cached finetune {TUNE} --encoder {fresh-bert} --negatives {negatives} --chunk-tokens 512 --pooling mean --max-length 16 --out {out}
tuned-sentences   finetune --pairs data/sentences.tsv --encoder {fresh-bert} --loss symmetric --learning-rate 1e-3 --epochs 2 --batch-size 32 --out {out}
linker            finetune --synonyms data/names.txt --encoder mini --out {out}
linker-bert       finetune --synonyms data/names.txt --encoder {fresh-bert} --loss multi-similarity --triplet-margin 0.3 --batch-size 128 --out {out}
linker-mneg       finetune --synonyms data/names.txt --encoder mini --loss mneg --control shuffled-pairs --pairs-per-concept 3 --out {out}
mapped            map {SIDES} --dictionary {TRAIN} --out {out}
mapped-real       map {REAL} --dictionary data/train.tsv --out {out}
mapped-orthogonal map {REAL} --dictionary data/train.tsv --kind orthogonal --normalise unit,center --out {out}
mapped-least      map {REAL} --dictionary data/train.tsv --kind unconstrained --out {out}
mapped-rcsls      map {SIDES} --dictionary {TRAIN} --kind rcsls --rcsls-steps 5 --vocabulary-cutoff 2000 --out {out}
mapped-spectral   map {SIDES} --dictionary {TRAIN} --preset rcsls --rcsls-steps 3 --rcsls-spectral --vocabulary-cutoff 2000 --out {out}
mapped-aaai2018   map {REAL} --dictionary data/train.tsv --preset aaai2018 --reduce-to 200 --out {out}
mapped-emnlp2016  map {REAL} --dictionary data/train.tsv --preset emnlp2016 --out {out}
mapped-acl2017    map {SIDES} --dictionary data/few.tsv --preset acl2017 --vocabulary-cutoff 1000 --out {out}
mapped-refinement map {SIDES} --dictionary {TRAIN} --preset refinement --vocabulary-cutoff 2000 --out {out}
mapped-few        map {REAL} --dictionary data/few.tsv --poor-dictionary truncate --lowercase --out {out}
mapped-shuffled   map {SIDES} --dictionary {TRAIN} --control shuffled-pairs --out {out}
mapped-identical  map {SIDES} --supervision identical --vocabulary-cutoff 1500 --out {out}
mapped-numerals   map {SIDES} --supervision numerals --vocabulary-cutoff 1000 --max-iterations 20 --out {out}
mapped-semi       map {SIDES} --supervision semi --dictionary data/few.tsv --validation {TEST} --vocabulary-cutoff 1500 --arithmetic float64 --max-iterations 40 --out {out}
mapped-none       map {SIDES} --supervision none --vocabulary-cutoff 1000 --start-vocabulary 1000 --max-iterations 20 --out {out}
hub               map-hub --hub en --vectors en=bundled:static/en --vectors de=bundled:static/de --vectors fr={static-fr} --dictionaries en-de={TRAIN} --dictionaries en-fr=bundled:lexicon/en-fr.train.tsv --out {out}
hub-two           map-hub --hub en --vectors en=bundled:static/en --vectors de=bundled:static/de --dictionaries en-de={TRAIN} --out {out}
hub-into          map-hub --into {hub-two} --vectors fr={static-fr} --dictionaries en-fr=bundled:lexicon/en-fr.train.tsv --out {out}
mapped-own        map --source {static-en} --target bundled:static/de --dictionary {TRAIN} --out {out}
new-words         apply-mapping --mapping {mapped-own} --source {static-en}/model.bin --source-vocabulary data/new.txt --out {out}
new-both          apply-mapping --mapping {mapped} {SIDES} --out {out}
encoded           encode bundled:static/en/words.txt --encoder {tuned} --out {out}
encoded-bert      encode data/text.encode --encoder {tuned-bert} --pooling mean --max-length 24 --out {out}
blended           interpolate --vectors {mapped} --encoder {tuned} --dictionary {TRAIN} --lambda 0.3 --out {out}
blended-more      interpolate --vectors {mapped-real} --encoder {tuned-bert} --dictionary data/train.tsv --lambda 0.5 --source-vocabulary data/new.txt --missing average --out {out}
bli               eval bli --vectors {mapped} --dictionary {TEST} --out {out}
bli-csls          eval bli --vectors {blended} --dictionary {TEST} --retrieval csls --out {out}
bli-softmax       eval bli --vectors {mapped} --dictionary {TEST} --retrieval inverted-softmax --inverse-temperature 30 --out {out}
bli-lambda        eval bli --vectors {mapped} --encoder {tuned} --train-dictionary {TRAIN} --dictionary {TEST} --lambda 0,0.3,1 --out {out}
bli-reverse       eval bli --vectors {mapped} --dictionary {TEST} --direction target-source --retrieval csls --candidates test --out {out}
bli-encoder       eval bli --encoder mini {WORDS} --dictionary {TEST} --out {out}
bli-bert          eval bli --encoder {tuned-bert} {WORDS} --dictionary {TEST} --retrieval csls --limit 2000 --out {out}
bli-files         eval bli --source {mapped-real}/source --target {mapped-real}/target --dictionary data/test.tsv --lowercase --out {out}
bli-printed       eval bli --vectors {blended} --dictionary {TEST} --json
pairs             cross-pairs --source data/simlex-english.txt --target data/simlex-german.txt --out {out}
pairs-multi       cross-pairs --source data/multi-simlex.tsv --source-language en --target-language fr --repeated drop --out {out}
xlsim             eval xlsim --vectors {mapped} --encoder mini --train-dictionary {TRAIN} --lambda 0,0.5,1 --pairs {pairs} --draws 1000 --out {out}
xlsim-encoder     eval xlsim --encoder mini --pairs {pairs} --draws 1000 --out {out}
xlsim-bert        eval xlsim --encoder {tuned-bert} --pairs {pairs-multi} --draws 1000 --out {out}
xlsim-vectors     eval xlsim --vectors data/en.vec --pairs data/simlex-english.txt --missing back-off --draws 1000 --out {out}
concepts          encode-concepts data/base.txt --encoder {linker} --out {out}
concepts-ivf      encode-concepts data/base.txt --encoder mini --index ivf --out {out}
linked            link data/mentions.txt --knowledge-base {concepts} --encoder {linker} --top 3 --out {out}
linked-ivf        link data/mentions.txt --knowledge-base {concepts-ivf} --encoder mini --index ivf --threshold 0.6 --out {out}
linked-printed    link data/mentions.txt --knowledge-base data/base.txt --encoder {linker-bert} --json
xel               eval xel --knowledge-base {concepts} --mentions data/mentions.txt --encoder {linker} --out {out}
xel-mini          eval xel --knowledge-base data/base.txt --mentions data/mentions.txt --encoder mini --no-baseline --out {out}
induced           induce --vectors {blended} --dictionary {TRAIN} --held-out {TEST} --out {out}/lexicon.tsv
induced-folder    induce --vectors {mapped} --dictionary {TRAIN} --mutual --folds 3 --limit 1500 --out {out}
induced-review    induce --vectors {blended} --dictionary {TRAIN} --held-out {TEST} --top 3 --only-new --out {out}/review.csv
induced-again     induce --vectors {mapped} --held-out {TEST} --calibration {induced-folder} --direction target-source --limit 300 --json
reviewed          read-review data/review.csv --out {out}
aligned           align {ENFR} --method statistical --lexicon {out}.tsv --out {out}
aligned-diagonal  align {ENFR} --method statistical --model diagonal --symmetrise grow-diag-final-and --chains 2 --out {out}
aligned-known     align {ENFR} --method statistical --dictionary {aligned}/lexicon.tsv --out {out}
aligned-argmax    align --pairs data/sentences.tsv --method argmax --encoder {tuned-sentences} --distortion 0.3 --out {out}
aligned-itermax   align --source data/sentences.en --target data/sentences.de --method itermax --encoder {tuned-sentences} --layer 1 --unit words --out {out}
aligned-match     align --pairs data/sentences.tsv --method match --encoder mini --out {out}
aligned-softmax   align {ENFR} --method softmax --encoder {tuned-sentences} --out {out}
aligned-vectors   align --pairs data/sentences.tsv --method itermax --vectors {mapped} --out {out}
aligned-printed   align --pairs data/sentences.tsv --dictionary {TRAIN}
aligner           align-train span --pairs data/enfr.src-tgt --alignments {aligned} --validation data/enfr.gold --validation-pairs data/enfr.src-tgt --gold-one-based --encoder {tuned-sentences} --words-per-sentence 4 --learning-rate 1e-3 --out {out}
aligner-softmax   align-train softmax --pairs data/sentences.tsv --objectives so,co,tlm --learning-rate 1e-3 --encoder {fresh-bert} --out {out}
aligner-links     align-train softmax --alignments {aligned} --objectives supervised --min-score 0.5 --encoder {fresh-bert} --layer 1 --learning-rate 1e-3 --out {out}
aligned-span      align {ENFR} --method span --encoder {aligner} --out {out}
scored            eval alignment --gold data/enfr.gold --gold-one-based --predicted {aligned} --pairs data/enfr.src-tgt --draws 1000 --out {out}
scored-softmax    eval alignment --gold data/enfr.gold --gold-one-based --predicted {aligned-softmax} --pairs data/enfr.src-tgt --draws 1000 --out {out}
scored-awesome    eval alignment --gold data/enfr.gold --gold-one-based --predicted data/enfr.awesome-align.out --draws 1000 --json
exported-vec      export {blended-more} --format vec --out {out}
exported-word2vec export {mapped} --format word2vec --phrases drop --out {out}
exported-glove    export {encoded} --format glove --phrases keep --out {out}
compared-bli      compare {bli-csls} {bli} --json
compared-ranks    compare {bli-csls} {bli} --metric reciprocal_rank --questions all --json
compared-xel      compare {xel} {xel-mini} --json
compared-xlsim    compare {xlsim-encoder} {xlsim} --second-system lambda=0 --json
compared-links    compare {scored} {scored-softmax} --json
audited           audit --train data/leaky.tsv --test {TEST} --source-vectors bundled:static/en --drop-sources --out {out}
audited-clean     audit --train {TRAIN} --test {TEST} --json
translated        translate data/words.txt --vectors {blended} --encoder {tuned} --top 3
translated-csls   translate data/words.txt --vectors {mapped} --retrieval csls --to source --json
translated-hub    translate data/words.de --vectors {hub} --from de --to fr --retrieval inverted-softmax
translated-bin    translate data/new.txt --vectors {mapped-own} --subwords {static-en}/model.bin
converted-tmx     convert {TRAIN} {CODES} --out {out}/pairs.tmx
converted-tbx     convert {TRAIN} {CODES} --out {out}/pairs.tbx
converted-tbx2    convert {TRAIN} {CODES} --to tbx2 --out {out}/pairs.tbx
converted-xliff   convert {TRAIN} {CODES} --to xliff --out {out}/pairs.xlf
converted-xliff2  convert {TRAIN} {CODES} --to xliff2 --out {out}/pairs.xlf
converted-back    convert {converted-tbx}/pairs.tbx {CODES}
pipeline          run data/pipeline.yaml --workdir {out} --json
reproduced        reproduce lexical-encoders/table-6 --encoder mini --pairs en-de --file vectors=data/{language}.vec --file train=data/train.tsv --file test=data/test.tsv --json --out {out}
""".strip().splitlines())  # fmt: skip  # noqa: E501


class Named(dict):
    """Gives a name in braces that is no step back as it was."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def command_of(name: str) -> str:
    return STEPS[name].format_map(Named(SHORT | {each: each for each in STEPS} | {"out": name}))


def needed_by(name: str) -> list[str]:
    return [each for each in re.findall(r"\{([^}]+)\}", STEPS[name]) if each in STEPS]


def with_needed(names: list[str]) -> list[str]:
    """Give steps and all that they depend on, in the order of the table."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += needed_by(name)
    return [name for name in STEPS if name in found]


def lines_of(path: str, count: int | None = None) -> list[str]:
    with (gzip.open if path.endswith(".gz") else open)(DATA / path, "rt", encoding="utf-8", newline="\n") as stream:
        return [line.rstrip("\n") for _, line in zip(range(count or sys.maxsize), stream, strict=False)]


def write_data(work: Path) -> None:
    """Cut what the steps read from the data folder."""
    folder = work / "data"
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, lines: list[str]) -> None:
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    for side in ("en", "de"):
        head, *rows = lines_of(f"static/{side}.fasttext300.vec.gz", 3001)
        write(f"{side}.vec", [f"3000 {head.split()[1]}", *rows])
        write(f"sentences.{side}", lines_of(f"parallel/multi30k/val.{side}.gz", 300))
    pairs = [line.lower() for line in lines_of("bli/gt/en-de/train.freq.5k.tsv")]
    tests = [line.lower() for line in lines_of("bli/gt/en-de/test.freq.2k.tsv", 1000)]
    both = list(zip(*((folder / f"sentences.{side}").read_text("utf-8").splitlines() for side in ("en", "de")),
                    strict=True))  # fmt: skip
    paragraphs = [line.split("\t") for line in lines_of("parallel/office-help.9way.tsv.gz", 3001)[1:]]
    bundled = [f"{word}\t{word}" for word in ("menu", "format", "text", "name", "version", "browser", "server")]
    names = [lines_of(f"xel/xlbel-v0/{code}_1k_test_query.txt") for code in ("de", "en", "fi", "tr")]
    write("train.tsv", pairs)
    write("test.tsv", tests)
    write("pairs.tsv", pairs[:512])
    write("few.tsv", [*pairs[:60], *bundled])
    write("leaky.tsv", [*pairs[:200], "abort\tabbrechen", "abort\tabbrechen", "Access\tZugriff", "access\twort"])
    write("sentences.tsv", ["\t".join(row) for row in both])
    write("text.ende", [text for row in both for text in row] + pairs[:512])
    write("text.en", [row[0] for row in paragraphs if row[0]])
    write("text.fr", [row[2] for row in paragraphs if row[2]])
    write("text.encode", [row[0] for row in paragraphs[:400] if row[0]])
    write("names.txt", [line for part in names for line in part[:500]])
    write("base.txt", [line for part in (names[0], names[2]) for line in part[:600]])
    write("mentions.txt", [line for part in (names[1], names[3]) for line in part[:250]])
    write("new.txt", ["unprintable", "reformatting", "page", "spreadsheets", "microscopical", "print preview"])
    write("words.txt", ["print", "table", "spreadsheet", "document", "print preview", "nowordatall"])
    write("words.de", ["drucken", "tabelle", "dokument", "zeile"])
    write("review.csv", ["source,target,decision,correction", "print,drucken,ok,", "page,blatt,wrong,seite; bogen",
                         "row,zeile,ok,", "file,feile,wrong,", "cell,zelle,,"])  # fmt: skip
    write("pipeline.yaml", [
        "steps:",
        "  - {stage: map, name: mapped, inputs: {source: en.vec, target: de.vec, dictionary: train.tsv}}",
        "  - {stage: eval bli, name: scores, inputs: {vectors: '${mapped}', dictionary: test.tsv}}",
    ])  # fmt: skip
    for path in ("align/enfr.src-tgt", "align/enfr.gold", "align/enfr.awesome-align.out", "xlsim/simlex-english.txt",
                 "xlsim/simlex-german.txt", "xlsim/multi-simlex.tsv"):  # fmt: skip
        (folder / Path(path).name).write_bytes((DATA / path).read_bytes())


def digest_of(path: Path) -> Iterator[tuple[str, str]]:
    """Give the digests of a file; of arrays those of their numbers, array by array."""
    sha = hashlib.sha256
    if path.suffix == ".npy":
        array = np.load(path)
        yield "", sha(f"{array.dtype} {array.shape}".encode() + array.tobytes()).hexdigest()
    elif path.suffix == ".safetensors":
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        for name, one in json.loads(content[8:start]).items():
            if name != "__metadata__":
                first, last = (start + place for place in one["data_offsets"])
                yield f":{name}", sha(f"{one['dtype']} {one['shape']}".encode() + content[first:last]).hexdigest()
    else:
        yield "", sha(path.read_bytes()).hexdigest()


def flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Give the numbers and words of nested lists and objects with the way to each."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(one, f"{name}.{key}" if isinstance(value, dict) else f"{name}[{key}]")
    else:
        yield name, value


def outcome_of(work: Path, name: str, stdout: str) -> dict[str, Any]:
    """Gather the digests and values of a finished step."""
    files, values = {}, {}
    paths = sorted([*(work / name).rglob("*"), *work.glob(f"{name}.*")])
    for path in (each for each in paths if each.is_file()):
        own = path.relative_to(work).as_posix()
        if path.name == "manifest.json":
            body = json.loads(path.read_text(encoding="utf-8"))
            for part in ("results", "summary", "tables", "answer"):
                values.update(flat(body.get(part), f"{own.removesuffix('manifest.json')}{part}"))
        found = ((own + part, digest) for part, digest in digest_of(path))
        files.update(each for each in found if not any(fnmatch(each[0], pattern) for pattern in LEFT_OUT))
    if "{out}" not in STEPS[name] or "--json" in STEPS[name]:
        try:
            values.update(flat([json.loads(line) for line in stdout.splitlines()], "stdout"))
        except ValueError:
            files["stdout"] = hashlib.sha256(stdout.encode()).hexdigest()
    return {"files": files, "values": values}


def run_step(work: Path, name: str) -> dict[str, Any]:
    """Run a step in a process of its own; a relative path of it means the work folder."""
    for old in [work / name, *work.glob(f"{name}.*")]:
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    if "{out}/" in STEPS[name]:
        (work / name).mkdir()
    began = time.perf_counter()
    command = [str(LEXENC), *shlex.split(command_of(name))]
    done = subprocess.run(
        command, cwd=work, env=os.environ | FIXED, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = {"code": done.returncode, "seconds": round(time.perf_counter() - began, 1)}
    if done.returncode not in (0, 1) or done.stderr.startswith("error:") or "\nerror:" in done.stderr:
        found["failed"] = "\n".join(done.stderr.strip().splitlines()[-3:])
    return found | outcome_of(work, name, done.stdout)


def run_all(work: Path, names: list[str], jobs: int, tell: Callable[[str, dict[str, Any]], None]) -> dict[str, Any]:
    """Run steps, some side by side, each after those that it needs; what needs a failed one is not run."""
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(work / "cache", ignore_errors=True)
    write_data(work)
    found: dict[str, Any] = {}
    waiting, running = list(names), {}
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            for name in [each for each in waiting if all(one in found for one in needed_by(each))]:
                waiting.remove(name)
                failed = [one for one in needed_by(name) if "failed" in found[one]]
                if failed:
                    found[name] = {"failed": f"not run, as {failed[0]} failed", "seconds": 0}
                    tell(name, found[name])
                else:
                    running[pool.submit(run_step, work, name)] = name
            done: set[Future[dict[str, Any]]] = wait(running, return_when=FIRST_COMPLETED).done if running else set()
            for each in done:
                name = running.pop(each)
                found[name] = each.result()
                tell(name, found[name])
    return {name: found[name] for name in names}


def machine() -> dict[str, str]:
    """Give what else the last bits depend on."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", told)
    packages = {name: version(name) for name in ("numpy", "torch", "tokenizers", "transformers", "numba", "faiss-cpu")}
    return packages | {"python": platform.python_version(), "processor": model[1] if model else platform.machine()}


def differences(old: dict[str, Any], new: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Give what changed or went, and what was added."""
    changed, added = [], []
    if "failed" in new:
        changed.append(f"failed: {new['failed']}")
    if old.get("code") != new.get("code"):
        changed.append(f"exit code: {old.get('code')} -> {new.get('code')}")
    for kind in ("files", "values"):
        before, after = old.get(kind, {}), new.get(kind, {})
        for key, value in before.items():
            if key not in after:
                changed.append(f"{key}: missing" + ("" if kind == "files" else f", was {value!r}"))
            elif json.dumps(after[key]) != json.dumps(value):
                changed.append(key if kind == "files" else f"{key}: {value!r} -> {after[key]!r}")
        added += [key for key in after if key not in before]
    return changed, added


def show_comparison(before: dict[str, Any], after: dict[str, Any], names: list[str], most: int) -> bool:
    """Print a line per step, and what differs below it; tell whether all is the same."""
    same = True
    for name in [*names, *(each for each in before if each not in STEPS)]:
        if name not in before or name not in after:
            same = same and name not in before
            print(f"{name:<18} {'missing' if name in before else 'new: not recorded before'}")
            continue
        changed, added = differences(before[name], after[name])
        same = same and not changed
        note = f"   (added: {', '.join(added[:most])}{', ...' if len(added) > most else ''})" if added else ""
        print(f"{name:<18} {'DIFFERENT' if changed else 'same'}{note}")
        for line in changed[:most]:
            print(f"    {line}")
        if len(changed) > most:
            print(f"    and {len(changed) - most} more")
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("file", type=Path, help="JSON file to write, or to compare with")
    parser.add_argument("--work", type=Path, required=True, help="folder for all results; steps in it are replaced")
    parser.add_argument("--only", default="", help="these steps, parted by commas, and what they need")
    parser.add_argument("--jobs", type=int, default=2, help="steps side by side")
    parser.add_argument("--most", type=int, default=8, help="differences shown of a step")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name] or list(STEPS)
    if unknown := [name for name in chosen if name not in STEPS]:
        raise SystemExit(f"error: no step {', '.join(unknown)}\nhint:  there are {', '.join(STEPS)}")
    if not DATA.is_dir():
        raise SystemExit(f"error: there is no data at {DATA}\nhint:  set LEXENC_TEST_DATA")
    recorded = json.loads(options.file.read_text(encoding="utf-8")) if options.what == "compare" else {}
    names, began = with_needed(chosen), time.perf_counter()

    def tell(name: str, one: dict[str, Any]) -> None:
        print(f"{name:<18} {one['seconds']:>5} s  {one.get('failed', '')}", file=sys.stderr, flush=True)

    steps = run_all(options.work.resolve(), names, options.jobs, tell)
    print(f"{len(names)} steps, {time.perf_counter() - began:.0f} s", file=sys.stderr)
    if options.what == "record":
        body = {"machine": machine(), "left out": LEFT_OUT, "steps": steps}
        options.file.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return
    for key, value in machine().items():
        if recorded["machine"].get(key) != value:
            print(f"remark: {key} was {recorded['machine'].get(key)}, is {value}: last bits may differ")
    sys.exit(not show_comparison(recorded["steps"], steps, names, options.most))


if __name__ == "__main__":
    main()

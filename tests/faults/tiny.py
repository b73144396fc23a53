"""Tiny inputs, and a run of every stage and of every command that writes files, each of some hundredths of a second.

A new stage needs an entry in `RUNS` under its name: a command line without `--out`, with the inputs of `make_world` in
`{w}`, and options (`other`) that give another result. A stage that resumes should checkpoint often.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WORDS, SIZE = 60, 6


@dataclass(frozen=True)
class Tiny:
    """A command line that writes one result.

    Args:
        line: The words, without `--out`.
        other: Options that are added for another result. Without them no run replaces an older result.
        out: Value of `--out`: a folder, or a file with this ending.
        copies: Further files that the command writes.
        option: Name of the option for `out`.
        forks: Whether a process that has run it can fork: not where a library keeps threads.
    """

    line: str
    other: str = "--seed 1"
    out: str = "out"
    copies: tuple[str, ...] = ()
    option: str = "--out"
    forks: bool = True

    @property
    def is_file(self) -> bool:
        return "." in self.out

    def words(self, world: str, *, force: bool = False, other: bool = False) -> list[str]:
        """Return the command line. `other` is for another result in the same place."""
        line = f"{self.line} {self.other if other else ''} {'--force' if force else ''}"
        return [*line.format(w=world).split(), self.option, self.out]


_STEPS = "--steps 3 --batch-size 4 --checkpoint-seconds 0"
_SELF = "--supervision none --patience 2 --max-iterations 3 --checkpoint-seconds 0"

_PIPELINE = """steps:
  - stage: map
    inputs: {{source: {w}/en.vec, target: {w}/de.vec, dictionary: {w}/train.tsv}}
  - stage: eval bli
    name: scores
    inputs: {{vectors: "${{map}}", dictionary: {w}/test.tsv}}
  - stage: compare
    inputs: {{first: "${{scores}}", second: {w}/scores}}
    params: {{draws: 100}}
"""

RUNS: dict[str, list[Tiny]] = {
    "train-static": [
        Tiny("train-static --text {w}/en.text --dimensions 4 --epochs 1 --minimum-count 1 --buckets 50 --write vec,bin")
    ],
    "new-encoder": [
        Tiny("new-encoder --text {w}/text.tsv --dimensions 4 --vocabulary-size 100"),
        Tiny(
            "new-encoder --kind transformer --dimensions 4 --layers 1 --heads 2 --max-length 32 --vocabulary-size 100 "
            "--text {w}/text.tsv"
        ),
    ],
    "pretrain": [
        Tiny("pretrain --text en={w}/en.text --text de={w}/de.text --preset tiny --layers 1 --dimensions 4 --heads 2 "
             "--vocabulary 60 --max-length 12 --steps 3 --batch-size 4 --evaluate-every 2 --dev 0.2 "
             "--checkpoint-seconds 0"),
        Tiny("pretrain --text en={w}/en.text --encoder {w}/transformer --steps 3 --batch-size 4 --objective tlm "
             "--pairs {w}/corpus.txt --checkpoint-seconds 0"),
        Tiny("pretrain --model elmo --text en={w}/en.text --text de={w}/de.text --preset tiny --dimensions 4 --cells 4 "
             "--minimum-count 1 --steps 4 --batch-size 4 --senses 2 --sense-scope all --skip-top 0 --sense-warmup 0.5 "
             "--sense-queue 20 --dictionary {w}/train.tsv --keep-every 2 --checkpoint-seconds 0"),
        Tiny("pretrain --model elmo --text en={w}/en.text --text de={w}/de.text --preset tiny --dimensions 4 "
             "--cells 4 --vocabulary 60 --minimum-count 1 --negatives 9 --steps 3 --batch-size 4 --evaluate-every 2 "
             "--dev 0.2 --input characters --checkpoint-seconds 0"),
    ],
    "trim-vocabulary": [
        Tiny("trim-vocabulary --encoder {w}/static --text {w}/en.txt", "--text {w}/en.text"),
        Tiny("trim-vocabulary --encoder {w}/transformer --text {w}/en.txt", "--text {w}/en.text"),
    ],
    "mine-negatives": [
        Tiny("mine-negatives --pairs {w}/train.tsv --encoder {w}/static --target-vocabulary {w}/de.txt --count 2",
             "--count 3")
    ],
    "finetune": [
        Tiny(f"finetune --pairs {{w}}/train.tsv --dev {{w}}/test.tsv --evaluate-every 2 --encoder {{w}}/static "
             f"{_STEPS}"),
        Tiny(f"finetune --synonyms {{w}}/kb.txt --encoder {{w}}/transformer {_STEPS}"),
    ],
    "train": [
        Tiny(f"train --data {{w}}/text.tsv --encoder {{w}}/static --dev 0.2 --evaluate-every 2 {_STEPS}"),
        Tiny("train --data en-de={w}/corpus.txt --data unsupervised:en={w}/en.text --encoder {w}/transformer "
             "--alignments {w}/links.txt --objective tr,awp,wtr --projection train-only --language-embedding "
             f"--chunk-tokens 40 {_STEPS}"),
        Tiny(f"train --data {{w}}/text.tsv --encoder {{w}}/static --teacher {{w}}/static {_STEPS}"),
    ],
    "mine-bitext": [
        Tiny("mine-bitext --source {w}/en.text --target {w}/de.text --encoder {w}/static --clean", "--keep forward"),
        Tiny("mine-bitext --mode score --pairs {w}/text.tsv --encoder {w}/static --threshold 0", "--margin distance",
             "out.tmx"),
    ],
    "map": [
        Tiny("map --source {w}/en.vec --target {w}/de.vec --dictionary {w}/train.tsv"),
        Tiny(f"map --source {{w}}/en.vec --target {{w}}/de.vec {_SELF}"),
    ],
    "map-hub": [
        Tiny(f"map-hub --vectors en={{w}}/en.vec --vectors de={{w}}/de.vec --vectors fr={{w}}/fr.vec --hub en {_SELF}")
    ],
    "apply-mapping": [Tiny("apply-mapping --mapping {w}/mapped --source {w}/en.vec", "--limit 9")],
    "encode": [
        Tiny("encode {w}/en.txt --encoder {w}/static", "--max-length 2"),
        Tiny("encode {w}/en.txt --encoder {w}/spoken --language sw", "--max-length 3"),
    ],
    "plot": [
        Tiny("plot --text en={w}/en.txt --text de={w}/de.txt --encoder {w}/static --method pca --points 9",
             "--points 8", forks=False)
    ],
    "senses": [
        Tiny("senses enw0 enw5 --encoder {w}/transformer --text en={w}/en.text --text de={w}/de.text --count 1 "
             "--drawn 0 --tag {w}/en.text", "--top 3"),
        Tiny("senses --senses {w}/found --tag {w}/en.text", "--seed 1", "out.tsv"),
    ],
    "project": [
        Tiny("project --encoder {w}/transformer --text en={w}/en.text --text de={w}/de.text --dictionary {w}/train.tsv "
             "--minimum-count 1 --vocabulary 0 --method procrustes", "--seed 1"),
    ],
    "interpolate": [
        Tiny("interpolate --vectors {w}/mapped --encoder {w}/static --dictionary {w}/train.tsv", "--lambda 0.4")
    ],
    "eval bli": [Tiny("eval bli --vectors {w}/mapped --dictionary {w}/test.tsv")],
    "cross-pairs": [Tiny("cross-pairs --source {w}/en.sim --target {w}/de.sim", "--max-difference 0.5")],
    "eval xlsim": [Tiny("eval xlsim --vectors {w}/mapped --pairs {w}/pairs.sim --draws 100")],
    "eval retrieval": [
        Tiny("eval retrieval --source {w}/en.text --target {w}/de.text --encoder {w}/static --draws 100",
             "--retrieval csls")
    ],
    "eval sts": [Tiny("eval sts --encoder {w}/static --pairs {w}/sts.tsv --draws 100")],
    "eval bitext": [
        Tiny("eval bitext --source {w}/en.text --target {w}/de.text --gold {w}/lines.tsv --protocol oracle "
             "--encoder {w}/static --draws 100", "--margin distance")
    ],
    "eval topics": [
        Tiny("eval topics --encoder {w}/static --train {w}/topics.en.tsv --test {w}/topics.de.tsv --draws 100")
    ],
    "eval clustering": [Tiny("eval clustering --encoder {w}/static --texts {w}/topics.en.tsv --seeds 2 --draws 100")],
    "eval senses": [
        Tiny("eval senses --encoder {w}/transformer --gold {w}/senses.pos --draws 100", "--count 3"),
    ],
    "eval wsd": [
        Tiny("eval wsd --encoder {w}/static --train {w}/semcor --test {w}/tagged.xml --gold {w}/tagged.key --draws 100")
    ],
    "eval ner": [
        Tiny("eval ner --encoder {w}/static --train {w}/entities.txt --test {w}/entities.txt --draws 100 --seeds 1 "
             "--hidden 4 --steps 2 --batch-size 8 --checkpoint-seconds 0"),
        Tiny("eval ner --encoder {w}/transformer --head fine-tune --train {w}/entities.txt --test {w}/entities.txt "
             "--draws 100 --seeds 2 --steps 2 --batch-size 8 --no-random-vectors --checkpoint-seconds 0"),
    ],
    "eval language-id": [
        Tiny("eval language-id --encoder {w}/static --text en={w}/en.text --text de={w}/de.text --draws 100")
    ],
    "eval mteb": [],  # mteb is not installed everywhere, and reads the data itself
    "eval nli": [
        Tiny("eval nli --encoder {w}/transformer --train {w}/nli.tsv --test {w}/nli.tsv --draws 100 --seeds 2 "
             "--steps 2 --batch-size 8 --checkpoint-seconds 0"),
    ],
    "eval paraphrase": [
        Tiny("eval paraphrase --encoder {w}/static --train {w}/same.tsv --test {w}/same.tsv --draws 100 --seeds 2 "
             "--epochs 1 --checkpoint-seconds 0"),
    ],
    "eval sentiment": [
        Tiny("eval sentiment --encoder {w}/static --train {w}/topics.en.tsv --test {w}/topics.de.tsv --draws 100 "
             "--seeds 2 --epochs 1 --checkpoint-seconds 0"),
    ],
    "encode-concepts": [Tiny("encode-concepts {w}/kb.txt --encoder {w}/static --index hnsw")],
    "link": [Tiny("link {w}/en.txt --knowledge-base {w}/kb.txt --encoder {w}/static")],
    "eval xel": [Tiny("eval xel --knowledge-base {w}/kb.txt --mentions {w}/mentions.txt --encoder {w}/static")],
    "induce": [
        Tiny("induce --vectors {w}/mapped --dictionary {w}/train.tsv --folds 2 --min-probability 0", "--top 2"),
        Tiny("induce --vectors {w}/mapped --dictionary {w}/train.tsv --folds 2 --min-probability 0", "--top 2",
             "out.csv"),
    ],
    "align": [
        Tiny("align --pairs {w}/corpus.txt --sweeps 0.2 --chains 2 --lexicon words.tsv --html page.html",
             copies=("words.tsv", "page.html")),
        Tiny("align --pairs {w}/corpus.txt --encoder {w}/transformer --layer 1", "--threshold 0.1"),
        Tiny("align --pairs {w}/corpus.txt --vectors {w}/mapped", "--threshold 0.1", "out.txt"),
    ],
    "align-documents": [
        Tiny("align-documents --source {w}/en.text --target {w}/de.text --encoder {w}/static", "--deletion 0.9"),
        Tiny("align-documents --source {w}/en.text --target {w}/de.text --encoder {w}/static", "--deletion 0.9",
             "out.tmx"),
    ],
    "align-train span": [
        Tiny("align-train span --pairs {w}/corpus.txt --alignments {w}/links.txt --encoder {w}/transformer "
             "--batch-size 60 --checkpoint-seconds 0")
    ],
    "align-train softmax": [
        Tiny("align-train softmax --pairs {w}/corpus.txt --encoder {w}/transformer --layer 1 --batch-size 8 "
             "--checkpoint-seconds 0")
    ],
    "eval alignment": [
        Tiny("eval alignment --gold {w}/links.txt --predicted {w}/links.txt --pairs {w}/corpus.txt --draws 100")
    ],
    "read-review": [
        Tiny("read-review {w}/review.csv", ""),
        Tiny("read-review {w}/review.csv", "", "out.tsv"),
        Tiny("read-review {w}/senses.csv --senses {w}/found", ""),
    ],
    "export": [
        Tiny("export {w}/mapped", "--format word2vec"),
        Tiny("export {w}/mapped --format glove", "--format vec"),
    ],
    "compare": [],  # prints only; a pipeline writes its result
    "audit": [Tiny("audit --train {w}/train.tsv --test {w}/test.tsv", "--drop-sources")],
    # Commands that are no stages.
    "convert": [
        Tiny("convert {w}/train.tsv --source-language en --target-language de", "--target-language fr", "out.tmx"),
    ],
    "report": [Tiny("report {w} --sections claims,runs", "--title Other", "out.html", forks=False)],
    "run": [Tiny("run {w}/pipeline.yaml", "", option="--workdir")],
}  # fmt: skip
"""By the name of the stage or command."""


def make_world(world: Path, run: Callable[[list[str]], None]) -> None:
    """Write the inputs of all runs; `run` runs a command line."""
    random = np.random.default_rng(0)
    names = {side: [f"{side}w{number}" for number in range(WORDS)] for side in ("en", "de", "fr")}
    source = random.normal(size=(WORDS, SIZE))
    for side, words in names.items():
        turn, _ = np.linalg.qr(random.normal(size=(SIZE, SIZE)))
        rows = (source + 0.1 * random.normal(size=source.shape)) @ turn
        lines = [" ".join([word, *(f"{x:.4f}" for x in row)]) for word, row in zip(words, rows, strict=True)]
        _write(world / f"{side}.vec", [f"{WORDS} {SIZE}", *lines])
        _write(world / f"{side}.txt", words)
        _write(world / f"{side}.text", [" ".join(words[i : i + 5]) for i in range(0, WORDS, 5)])
        _write(world / f"{side}.sim", [f"{words[i]}\t{words[i + 1]}\t{i % 7}" for i in range(0, 20, 2)])
    pairs = list(zip(names["en"], names["de"], strict=True))
    _write(world / "train.tsv", ["\t".join(pair) for pair in pairs[:45]])
    _write(world / "test.tsv", ["\t".join(pair) for pair in pairs[45:]])
    _write(world / "text.tsv", [f"the {a} is a {a}\tdas {b} ist ein {b}" for a, b in pairs])
    _write(world / "pairs.sim", [f"{a}\t{b}\t{i % 7}" for i, (a, b) in enumerate(pairs[:20])])
    _write(world / "sts.tsv", [f"the {a}\tdas {b}\t{i % 7}" for i, (a, b) in enumerate(pairs[:20])])
    _write(world / "lines.tsv", [f"{i}\t{i}" for i in range(1, 10)])
    for side, words in names.items():
        rows = [f"{'second' if i % 2 else 'first'}\tthe {words[i]} is a {words[i % 2]}" for i in range(20)]
        _write(world / f"topics.{side}.tsv", rows)
    _write(world / "same.tsv", [f"the {a}\t{b if i % 2 else a}\t{1 - i % 2}" for i, (a, b) in enumerate(pairs[:20])])
    _write(world / "senses.pos", ["<corpus>", '<lexelt item="a-n">', *(
        f'<instance id="{i}"><answer senseid="{i % 2}"/><context>the <head>{a}</head> is a {i % 2}</context></instance>'
        for i, (a, _) in enumerate(pairs[:24])), "</lexelt>", "</corpus>"])  # fmt: skip
    labels = ("entailment", "neutral", "contradiction")
    _write(world / "nli.tsv", [f"the {a}\ta {b}\t{labels[i % 3]}" for i, (a, b) in enumerate(pairs[:20])])
    _write_tagged(world, names["en"][:20])
    named = [f"the O\n{a} B-{'LOC' if i % 2 else 'PER'}\n{b} I-{'LOC' if i % 2 else 'PER'}\n"
             for i, (a, b) in enumerate(pairs[:20])]  # fmt: skip
    _write(world / "entities.txt", named)
    _write(world / "kb.txt", [f"C{i}||{word}" for i, pair in enumerate(pairs[:20]) for word in pair])
    _write(world / "mentions.txt", [f"C{i}||{a}" for i, (a, _) in enumerate(pairs[:20])])
    _write(world / "corpus.txt", [" ||| ".join(map(" ".join, zip(*pairs[i : i + 3], strict=True))) for i in range(20)])
    _write(world / "links.txt", ["0-0 1-1 2-2"] * 20)
    rows = [f"{a},{b},{'ok' if i % 2 else 'wrong'}," for i, (a, b) in enumerate(pairs)]
    _write(world / "review.csv", ["source,target,decision,correction", *rows])
    _write(world / "senses.csv", ["sense,name,decision", "enw0#1,first,keep", "enw5#1,,drop"])
    _write(world / "pipeline.yaml", [_PIPELINE.format(w=world)])
    for out, name, number in (("static", "new-encoder", 0), ("transformer", "new-encoder", 1), ("mapped", "map", 0),
                              ("scores", "eval bli", 0), ("found", "senses", 0)):  # fmt: skip
        words = RUNS[name][number].words(str(world))
        run([*words[:-1], str(world / out)])
    give_languages(world / "transformer", world / "spoken")


def _write_tagged(world: Path, words: list[str]) -> None:
    """Write a file of SemCor, and the same as XML with keys."""
    tags = [f"<s snum=1><wf>the</wf><wf lemma={word} lexsn=1:0{i % 2}:00:: wnsn={1 + i % 2}>{word}</wf></s>"
            for i, word in enumerate(words * 2)]  # fmt: skip
    _write(world / "semcor", ["<contextfile>", "<context filename=a>", *tags, "</context>", "</contextfile>"])
    rows = [f'<sentence><wf>a</wf><instance id="t{i}" lemma="{word}" pos="NOUN">{word}</instance></sentence>'
            for i, word in enumerate(words)]  # fmt: skip
    _write(world / "tagged.xml", ['<?xml version="1.0"?>', "<corpus>", '<text id="a">', *rows, "</text>", "</corpus>"])
    _write(world / "tagged.key", [f"t{i} {word}%1:0{i % 2}:00::" for i, word in enumerate(words)])


def give_languages(folder: Path, out: Path) -> None:
    """Write a copy of a transformer that has vectors for the languages en and sw."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(folder, out, ignore=shutil.ignore_patterns("manifest.json"))
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if name.endswith("token_type_embeddings.weight"))
    tensors[name] = np.concatenate([tensors[name], tensors[name][:1] + 0.1, tensors[name][:1] - 0.1])
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"type_vocab_size": len(tensors[name]), "lexenc_languages": ["en", "sw"]}
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

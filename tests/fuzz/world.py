"""A tiny world of two languages in one folder: a file of every kind, a result of every command.

`STEPS` has a command line for every way to use a command. A word `@NAME` is a file or result of the world; `@out` is
where the step itself writes. The same lines make the world, and are the ones that damaged inputs are put into.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib
import io
import json
import os
import shlex
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

for _name in ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")  # a process that has threads cannot be forked safely
os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}

from lexenc_cli.main import build_app  # noqa: E402
from typer.main import get_command  # noqa: E402

from lexenc.files.vec_binary import write_word2vec_binary  # noqa: E402
from lexenc.files.vectors import write_vec  # noqa: E402
from tests.faults.tiny import give_languages  # noqa: E402

CASES = Path(__file__).parents[1] / "data" / "cases"
EN = (
    "house dog cat tree water fire stone bread milk green red blue night day sun moon star river mountain sea book pen "
    "table chair door window street city land hand head foot eye ear heart bird fish horse cow apple"
).split()
DE = (
    "haus hund katze baum wasser feuer stein brot milch grün rot blau nacht tag sonne mond stern fluss berg meer buch "
    "stift tisch stuhl tür fenster straße stadt land hand kopf fuß auge ohr herz vogel fisch pferd kuh apfel"
).split()

SMALL = "--dimensions 8 --vocabulary-size 150"
TINY = "--epochs 1 --batch-size 32"
SPACE = "--vectors @mapped --dictionary @train.tsv"
CODES = "--source-language en --target-language de"
STEPS = dict(line.split(maxsplit=1) for line in f"""
static        new-encoder --text @text.tsv {SMALL} --out @out
transformer   new-encoder --text @text.tsv --kind transformer {SMALL} --layers 1 --heads 2 --max-length 32 --out @out
language      pretrain --text en=@text.en --text de=@text.de --preset tiny --layers 1 --dimensions 8 --heads 2 --vocabulary 100 --max-length 16 --steps 2 --batch-size 8 --dev de=@few.de --out @out
language-more pretrain --text de=@text.de --encoder @transformer --objective mlm,tlm --pairs @few.tsv --steps 2 --batch-size 8 --dev 0.2 --out @out
language-sense pretrain --model elmo --text en=@text.en --text de=@text.de --preset tiny --dimensions 8 --cells 8 --minimum-count 1 --steps 4 --batch-size 8 --senses 2 --sense-scope all --skip-top 0 --sense-warmup 0.5 --dictionary @train.tsv --out @out
language-merge pretrain --model elmo --text en=@text.en --text de=@text.de --preset tiny --dimensions 8 --cells 8 --minimum-count 1 --steps 4 --batch-size 8 --senses 2 --sense-scope pseudo --pseudo-words @merged.tsv --sense-warmup 0.5 --out @out
language-own  pretrain --text de=@text.de --tokenizer @transformer --preset tiny --layers 1 --dimensions 8 --heads 2 --max-length 16 --steps 2 --batch-size 8 --out @out
elmo          pretrain --model elmo --text en=@text.en --text de=@text.de --preset tiny --dimensions 4 --cells 6 --input characters --vocabulary 100 --minimum-count 1 --negatives 9 --steps 2 --batch-size 8 --dev de=@few.de --out @out
elmo-more     pretrain --model elmo --text de=@text.de --encoder @elmo --negatives 9 --steps 2 --batch-size 8 --out @out
elmo-fresh    new-encoder --kind elmo --text @text.tsv {SMALL} --layers 1 --max-length 32 --out @out
elmo-encoded  encode @en.txt --encoder @elmo --out @out
words         train-static --text @en.txt --minimum-count 1 --epochs 1 --dimensions 4 --buckets 20 --write vec,bin --out @out
mapped        map --source @en.vec --target @de.vec --dictionary @train.tsv --out @out
mapped-bin    map --source @en.bin --target @words/model.bin --dictionary @same.tsv --out @out
learned       map --source @en.vec --target @de.vec --supervision semi --dictionary @train.tsv --validation @test.tsv --max-iterations 2 --out @out
hub           map-hub --hub en --vectors en=@en.vec --vectors de=@de.vec --dictionaries @dictionaries --out @out
hub-more      map-hub --into @hub --vectors nl=@de.vec --dictionaries en-nl=@train.tsv --out @out
negatives     mine-negatives --pairs @train.tsv --encoder @static --target-vocabulary @de.txt --source-vocabulary @en.txt --direction both --count 2 --out @out
tuned         finetune --pairs @train.tsv --encoder @static --negatives @negatives --dev @test.tsv {TINY} --out @out
tuned-sides   finetune --source @text.en --target @text.de --encoder @static {TINY} --out @out
linker        finetune --synonyms @synonyms.txt --encoder @transformer {TINY} --out @out
linker-umls   finetune --synonyms @MRCONSO.RRF --encoder @static {TINY} --out @out
trained       train --data @text.tsv --encoder @static --dev @few.tsv {TINY} --out @out
trained-sides train --source @text.en --target @text.de --encoder @static --teacher @static --dev 0.2 {TINY} --out @out
trained-nli   train --data nli:@nli.tsv --data cross-lingual-nli:@xnli --data unsupervised:@text.en --encoder @transformer --dev @sts.csv --dev-metric sts --batch-size 32 --steps 2 --out @out
trained-words train --data en-de=@few.tsv --alignments @few.links --objective tr,awp,wtr,rtl,tlm,mlm --language-embedding --encoder @transformer {TINY} --out @out
mined         mine-bitext --source @text.en --target @text.de --encoder @static --clean --planted @known.tsv --out @out
mined-dev     mine-bitext --source @text.en --target @text.de --encoder @static --dev @text.tsv --out @out
mined-search  mine-bitext --mode search --source @text.en --target @text.de --encoder @static --index ivf --out @out
mined-score   mine-bitext --mode score --pairs @text.tsv --encoder @static --out @out
mined-again   mine-bitext --mode score --pairs @mined-score --encoder @static --clean --out @out
from-mined    convert @mined-score/pairs.tsv {CODES} --to tmx --out @out
applied       apply-mapping --mapping @mapped --source @en.vec --target @de.vec --out @out
applied-bin   apply-mapping --mapping @mapped-bin --source @en.bin --source-vocabulary @en.txt --target @words/model.bin --target-vocabulary @en.txt --out @out
encoded       encode @en.txt --encoder @transformer --out @out
encoded-sw    encode @en.txt --encoder @spoken --language sw --out @out
plotted       plot --text en=@text.en --text de=@text.de --encoder @static --encoder @transformer --mark 2 --method pca --out @out
plotted-words plot --text en=@en.txt --text de=@text.de --words --vectors @mapped --vectors @hub --dictionary @train.tsv --points 12 --out @out
projected     project --encoder en=@language --encoder de=@transformer --text en=@text.en --text de=@text.de --dictionary @train.tsv --minimum-count 1 --layers 0,1 --out @out
projected-one project --encoder @elmo-fresh --text en=@text.en --text de=@text.de --dictionary @train.tsv --minimum-count 1 --method procrustes --out @out
projected-enc encode @few.de --encoder @projected/de --out @out
trimmed       trim-vocabulary --encoder @transformer --text @text.tsv --out @out
trimmed-stat  trim-vocabulary --encoder @static --text @en.txt --text @text.tsv --out @out
blended       interpolate {SPACE} --encoder @static --source-vocabulary @en.txt --target-vocabulary @en.txt --out @out
bli           eval bli --vectors @mapped --dictionary @test.tsv --out @out
bli-lambda    eval bli --vectors @mapped --encoder @static --train-dictionary @train.tsv --dictionary @test.tsv --lambda 0,1 --out @out
bli-files     eval bli --source @mapped/source --target @mapped/target --dictionary @test.tsv --out @out
bli-encoder   eval bli --encoder @static --source-vocabulary @en.txt --target-vocabulary @de.txt --dictionary @test.tsv --out @out
bli-hub       eval bli --vectors @hub --dictionary @dictionaries --pair en-de --out @out
pairs         cross-pairs --source @rated.txt --target @rated.de.txt --out @out
pairs-multi   cross-pairs --source @simlex --source-language en --target-language fr --out @out
xlsim         eval xlsim --vectors @mapped --encoder @static --train-dictionary @train.tsv --pairs @pairs --draws 100 --out @out
sts           eval sts --pairs @sts.tsv --pairs @sts.csv --encoder @static --target-encoder @static --draws 100 --out @out
bitext        eval bitext --source @bucc/set.de --target @bucc/set.en --gold @bucc/set.gold --dev @bucc --encoder @static --target-encoder @static --draws 100 --out @out
bitext-vec    eval bitext --source @bucc/set.de --target @bucc/set.en --gold @bucc/set.gold --protocol oracle --vectors @mapped --draws 100 --out @out
sts-second    eval sts --pairs @sts.jsonl --second @sts.jsonl --scores distance --encoder @static --draws 100 --out @out
retrieval     eval retrieval --source @text.en --target @text.de --encoder @static --target-encoder @static --draws 100 --out @out
retrieval-xx  eval retrieval --tatoeba @tatoeba --list all --vectors @mapped --draws 100 --out @out
sts-gold      eval sts --pairs @text.tsv --gold @gold.txt --vectors @mapped --draws 100 --out @out
topics        eval topics --train @topics.en.tsv --test @topics.de.tsv --encoder @static --draws 100 --out @out
topics-mean   eval topics --train @topics.csv --test @topics.de.tsv --encoder @transformer --documents mean --c 1 --draws 100 --out @out
clusters      eval clustering --texts @topics.csv --texts @topics.de.tsv --encoder @static --seeds 2 --draws 100 --out @out
senses        eval senses --gold @senses.pos --gold @senses.xml --encoder @transformer --draws 100 --out @out
senses-auto   eval senses --gold @senses.pos --count auto --layer -1 --most 20 --encoder @transformer --draws 100 --out @out
wsd           eval wsd --train @semcor.tar.xz --test @tagged.xml --gold @tagged.key --encoder @static --back-off @cntlist.rev --draws 100 --out @out
wsd-xml       eval wsd --train @tagged.xml --train-gold @tagged.key --test @tagged.xml --gold @tagged.key --encoder @transformer --layer 0,1 --back-off @index.sense --draws 100 --out @out
ner           eval ner --train @named.tsv --dev @named.txt --test @named.txt --test @named.tsv --encoder @static --test-encoder @static --seeds 1 --hidden 4 --steps 2 --draws 100 --out @out
ner-tuned     eval ner --train @named.txt --test @named.tsv --encoder @transformer --head fine-tune --seeds 1 --steps 2 --types PER --no-random-vectors --draws 100 --out @out
languages     eval language-id --text en=@text.en --text de=@text.de --encoder @static --draws 100 --out @out
nli           eval nli --train @nli.tsv --dev @xnli.tsv --test @nli.jsonl --test @xnli.tsv --encoder @transformer --seeds 1 --steps 2 --draws 100 --out @out
nli-dense     eval nli --train @nli.tsv --test @nli.jsonl --encoder @static --test-encoder @static --seeds 2 --epochs 1 --draws 100 --out @out
paraphrase    eval paraphrase --train @same-meaning.tsv --dev @same-meaning.csv --test @same-meaning.csv --encoder @static --test-encoder @static --seeds 1 --epochs 1 --draws 100 --out @out
sentiment     eval sentiment --train @moods.tsv --dev @moods.txt --test @moods.txt --encoder @static --test-encoder @static --head bilstm --seeds 1 --epochs 1 --draws 100 --out @out
concepts      encode-concepts @kb.txt --encoder @static --out @out
concepts-ivf  encode-concepts @kb.txt --encoder @static --index ivf --out @out
linked        link @mentions.txt --knowledge-base @concepts --encoder @static --out @out
linked-text   link @mentions.txt --knowledge-base @kb.txt --encoder @static --out @out
linked-ivf    link @mentions.txt --knowledge-base @concepts-ivf --encoder @static --index ivf --out @out
xel           eval xel --knowledge-base @concepts --mentions @mentions.txt --encoder @static --out @out
induced       induce {SPACE} --folds 2 --limit 20 --out @out
induced-more  induce --vectors @mapped --held-out @test.tsv --words @en.txt --calibration @induced --out @out
reviewed      read-review @review.csv --out @out
aligned       align --pairs @text.tsv --method statistical --dictionary @train.tsv --sweeps 2 --out @out
aligned-enc   align --source @text.en --target @text.de --method itermax --encoder @transformer --out @out
aligned-vec   align --pairs @text.tsv --method argmax --vectors @mapped --out @out
documents     align-documents --source @text.en --target @text.de --gold @gold.ladder --encoder @static --out @out
documents-two align-documents --source @pages.en --target @pages.de --blocks text --most 3 --encoder @static --out @out
aligner       align-train span --pairs @few.tsv --alignments @few.links --encoder @transformer --validation @few.links --validation-pairs @few.tsv --words-per-sentence 1 {TINY} --out @out
aligner-soft  align-train softmax --alignments @aligned --encoder @transformer --validation @few.links --validation-pairs @few.tsv --objectives supervised {TINY} --out @out
aligner-text  align-train softmax --pairs @few.tsv --encoder @transformer --objectives so,co {TINY} --out @out
sensed        senses the house --headwords @heads.txt --encoder @transformer --text en=@text.en --text de=@text.de --alignments en-de=@aligned --count 2 --sentences 20 --drawn 0 --tag @few.en --out @out
sensed-tags   senses --senses @sensed --tag @few.en --out @out
sensed-model  senses the --model @language-sense --text en=@text.en --sentences 20 --drawn 0 --out @out
sensed-read   read-review @senses.csv --senses @sensed --out @out
linked-span   align --pairs @few.tsv --method span --encoder @aligner --out @out
scored        eval alignment --gold @few.links --predicted @few.predicted --pairs @few.tsv --draws 100 --out @out
scored-sides  eval alignment --gold @few.links --predicted @few.predicted --source @few.en --target @few.de --draws 100 --out @out
exported      export @mapped --format word2vec --out @out
compared      compare @bli @bli --draws 100
audited       audit --train @train.tsv --test @test.tsv --source-vectors @en.vec --target-vectors @mapped/target --out @out
audited-text  audit --train @text.en --train-target @text.de --test @text.tsv --out @out
audited-sides audit --train @text.en --train-target @text.de --test @few.en --test-target @few.de --out @out
audited-enc   audit --encoder @trained --test @text.tsv --sentences --out @out
memory.tmx    convert @train.tsv {CODES} --out @out
terms.tbx     convert @train.tsv {CODES} --out @out
terms.tbx2    convert @train.tsv {CODES} --to tbx2 --out @out
units.xlf     convert @train.tsv {CODES} --out @out
units.xlf2    convert @train.tsv {CODES} --to xliff2 --out @out
from-tmx      convert @memory.tmx {CODES} --to tsv --out @out
from-tbx      convert @terms.tbx {CODES} --to tsv --out @out
from-tbx2     convert @terms.tbx2 {CODES} --to tsv --out @out
from-xlf      convert @units.xlf --to tsv --out @out
from-xlf2     convert @units.xlf2 --to tsv --out @out
from-sdl      convert @sdl.xlf --to tsv --out @out
map-tmx       map --source @en.vec --target @de.vec --dictionary @memory.tmx --out @out
from-lexicon  convert @induced/lexicon.tsv {CODES} --to tmx --out @out
translated    translate @en.txt --vectors @mapped
translated-2  translate @en.txt --vectors @hub --from en --to de --json
subwords      translate @en.txt --vectors @mapped --encoder @static
subwords-bin  translate @en.txt --vectors @mapped-bin --from target --to source --subwords @words/model.bin
ran           run @pipeline.yaml --workdir @out
status        status @pipeline.yaml
check         check @pipeline.yaml
init          init @out
shown         show @blended
shown-json    show @hub --json
results       results @bli @bli-lambda --baseline @bli
results-csv   results @xel --format csv --metric precision_at_1
page.html     report @results-folder --out @out
reproduced    reproduce lexical-encoders/table-6 --encoder @static --pairs en-de --file vectors=@{{language}}.vec --file train=@train.tsv --file test=@test.tsv --partial --out @out
fetched       fetch toy:en-de --catalogue @catalogue.yaml --out @downloads --yes
""".strip().splitlines())  # fmt: skip

MAY_BE_NO = {"status", "reproduced", "audited", "audited-text", "audited-sides", "audited-enc"}
"""Steps whose answer may be no (exit code 1) with valid inputs."""


_MAKERS = {"spoken": "transformer"}
"""Steps after which something else is written."""
IN_REPORT = ("bli", "bli-lambda", "xel", "sts", "mapped", "tuned", "induced", "plotted")
"""Steps whose results are copied into the folder that is reported on."""


def words_of(step: str, place: Callable[[str], str]) -> list[str]:
    """Return the words of a step, with `place(name)` for every `@name`."""
    words = []
    for word in shlex.split(STEPS[step]):
        head, at, name = word.partition("@")
        words.append(f"{head}{place(name)}" if at else word)
    return words


def names_in(step: str) -> list[str]:
    """Return the files and results of the world that a step reads, in order."""
    found: list[str] = []
    words_of(step, lambda name: found.append(name) or name)
    return [name for name in found if name != "out"]


def run(words: Sequence[str]) -> int:
    """Run a command line as the program does; return its exit code."""
    return int(get_command(build_app()).main(list(words), prog_name="lexenc", standalone_mode=False))


def quietly(words: Sequence[str]) -> tuple[int, str, str]:
    """Run a command line in this process; return its exit code and what it printed."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape") for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        code = run(words)
        for each in streams:
            each.flush()
    return code, *(each.buffer.getvalue().decode("utf-8", "replace") for each in streams)


def make_world(folder: Path, wanted: Sequence[str] = ()) -> Path:
    """Write all files, and run the steps with what they need; then import what they imported.

    The steps run in a process of their own, because training and drawing start threads, after which a process cannot be
    forked safely.

    Args:
        folder: New folder.
        wanted: Steps to run, with those that they read from; all if empty.

    Raises:
        RuntimeError: If a step fails.
    """
    os.environ["LEXENC_CACHE"] = str(folder / "cache")
    folder.mkdir(parents=True)
    _write_files(folder)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _run_steps(folder, needed(wanted or STEPS))
            (folder / "modules.txt").write_text("\n".join(sys.modules))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("a step of the world fails; its message is above")
    warm(folder)
    return folder


def warm(folder: Path) -> None:
    """Import what the steps imported, so that cases need not."""
    for name in (folder / "modules.txt").read_text().split():
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def needed(steps: Iterable[str]) -> list[str]:
    """Return steps with those that they read from, in the order of `STEPS`."""
    found, left = set(), list(steps)
    while left:
        step = left.pop()
        found.add(step)
        read = names_in(step) if "@results-folder" not in STEPS[step] else [*names_in(step), *IN_REPORT]
        makers = [_MAKERS.get(name, name.split("/")[0]) for name in read]
        left += [maker for maker in makers if maker in STEPS and maker not in found]
    return [step for step in STEPS if step in found]


def _run_steps(folder: Path, steps: Sequence[str]) -> None:
    for step in steps:
        if "@results-folder" in STEPS[step]:
            for name in IN_REPORT:
                shutil.copytree(folder / name, folder / "results-folder" / name)
        out = folder / step
        code, told, err = quietly(words_of(step, lambda name, out=out: str(out if name == "out" else folder / name)))
        if code and step not in MAY_BE_NO:
            sys.stderr.write(f"{step}: exit code {code}\n{STEPS[step]}\n{err}\n")
            raise RuntimeError(step)
        (folder / f"{step}.stdout").write_text(told, encoding="utf-8")
        if step == "transformer":
            give_languages(folder / "transformer", folder / "spoken")
            _write_checkpoint(folder)


def _write_checkpoint(folder: Path) -> None:
    from safetensors.torch import load_file

    from lexenc.training.checkpoints import Best, Checkpoint, save_checkpoint

    weights = dict(list(load_file(folder / "transformer" / "model.safetensors").items())[:2])
    save_checkpoint(folder / "checkpoint", Checkpoint(3, weights, weights, weights, Best(2, 0.5, weights)))


def _write_files(folder: Path) -> None:
    draw = np.random.default_rng(0)
    source = draw.normal(size=(len(EN), 8)).astype(np.float32)
    rotation, _ = np.linalg.qr(draw.normal(size=(8, 8)))
    target = (source @ rotation + 0.05 * draw.normal(size=source.shape)).astype(np.float32)
    write_vec(folder / "en.vec", EN, source)
    write_vec(folder / "de.vec", DE, target)
    write_word2vec_binary(folder / "en.bin", EN, source[:, :4])
    pairs = list(zip(EN, DE, strict=True))
    (folder / "dictionaries").mkdir()
    (folder / "bucc").mkdir()
    for part in range(2):
        write_word2vec_binary(folder / f"part{part}.bin", EN[:9], source[:9, : 4 + part])
    sentences = [(f"the {a} is here", f"das {b} ist hier") for a, b in pairs]
    rated = [f"{a}\t{b}\t{i % 7}.5" for i, (a, b) in enumerate(zip(EN, EN[1:] + EN[:1], strict=True))]
    simlex = [("ID", "ENG 1", "ENG 2", "FRA 1", "FRA 2"), *((str(i), a, b, b, a) for i, (a, b) in enumerate(pairs[:9]))]
    umls = [f"C{i}|ENG|P|L1|PF|S1|Y|A1||M1|D1|MSH|MH|D1|{name}|0|N|256|" for i in range(9) for name in pairs[i]]
    files = {
        "train.tsv": [f"{a}\t{b}" for a, b in pairs[:28]],
        "test.tsv": [f"{a}\t{b}" for a, b in pairs[28:]],
        "same.tsv": [f"{a}\t{a}" for a in EN],
        "dictionaries/en-de.tsv": [f"{a}\t{b}" for a, b in pairs],
        "en.txt": EN,
        "de.txt": [f"{word} {99 - i}" for i, word in enumerate(DE)],
        "text.tsv": [f"{a}\t{b}" for a, b in sentences],
        "known.tsv": [f"a {a} and {a}\tein {b} und {b}" for a, b in pairs],
        "text.en": [a for a, _ in sentences],
        "text.de": [b for _, b in sentences],
        "few.tsv": [f"{a} ||| {b}" for a, b in sentences[:5]],
        "few.en": [a for a, _ in sentences[:5]],
        "few.de": [b for _, b in sentences[:5]],
        "few.links": ["0-0 1-1 2p2 3-3"] * 5,
        "few.predicted": ["0-0 1-1 3-3"] * 5,
        "gold.ladder": [f"[{i}]:[{i}]:0.5" for i in range(len(sentences))],
        "pages.en/one.txt": [a for a, _ in sentences[:5]],
        "pages.de/one.txt": [b for _, b in sentences[:5]],
        "heads.txt": ["dog", "de=haus"],
        "merged.tsv": ["the\thouse"],
        "senses.csv": ["sense,name,decision", "the#1,one,keep", "the#2,,the#1", "dog#1,,drop"],
        "review.csv": ["source,target,probability,decision,correction", "house,haus,0.83,ok,", "dog,hase,0.83,other,hund"],
        "rated.txt": ["word1\tword2\tSimLex999", *rated],
        "rated.de.txt": ["word1\tword2\tSimLex999", *(f"{b}\t{c}\t1.{i % 9}" for i, (b, c) in enumerate(zip(DE, DE[1:] + DE[:1], strict=True)))],
        "sts.tsv": [f"{a}\t{b}\t{i % 6}" for i, (a, b) in enumerate(sentences)],
        "sts.csv": ["sentence1,sentence2,score", *(f'"{a}, so",{b},{i % 5}.5' for i, (a, b) in enumerate(sentences))],
        "topics.csv": ["category,headline,text", *(f'{"animal" if i % 2 else "thing"},"The {a}, so","the {b}.\nIt is"' for i, (a, b) in enumerate(pairs))],
        "senses.pos": ['<corpus lang="en">', '<lexelt item="house-n">', *(f'<instance id="n.{i}">\n<answer instance="n.{i}" senseid="s{i % 2}"/>\n<context>\n <wf pos="DT">the</wf> <head> <wf pos="NN">house</wf></head> <wf>{a}</wf>\n <wf>dog</wf>\n</context></instance>' for i, (a, _) in enumerate(pairs)), "</lexelt>", "</corpus>"],
        "senses.xml": ["<corpus>", *(f'<lexelt item="{word}">{"".join(f"""<instance id="{i}"><answer senseid="{i % 3}"/><context>the <head>{word}</head> , {a}</context></instance>""" for i, (a, _) in enumerate(pairs))}</lexelt>' for word in ("dog", "cat")), "</corpus>"],
        "moods.tsv": ["tweet\tlabel", *(f'"the {a}\n{b} is ""good"""\tgood' if i % 2 else f"the {a} is bad\tbad" for i, (a, b) in enumerate(pairs))],
        "moods.txt": [f"the {b} is here\t{'good' if i % 2 else 'bad'}" for i, (_, b) in enumerate(pairs)],
        **{f"topics.{side}.tsv": [f"{'animal' if i % 2 else 'thing'}\tthe {pair[place]} is here" for i, pair in enumerate(pairs)] for place, side in enumerate(("en", "de"))},
        "sts.jsonl": [json.dumps({"sentence1": a, "sentence2": b, "Overall": i % 4, "lang": "en" if i % 2 else "de"}) for i, (a, b) in enumerate(sentences)],
        "tatoeba/tatoeba.deu-eng.eng": [a for a, _ in sentences],
        "tatoeba/tatoeba.deu-eng.deu": [b for _, b in sentences],
        "nli.tsv": ["premise\thypothesis\tlabel", *(f"the {a} is here\t{b} {i}\t{label}" for i, (a, b) in enumerate(pairs) for label in _LABELS)],
        "nli.jsonl": [json.dumps({"gold_label": label, "sentence1": a, "sentence2": b}) for a, b in pairs for label in _LABELS],
        "triplets.csv": ["sent0,sent1,hard_neg", *(f'"a {a}, so",{b},no {b}' for a, b in pairs)],
        **{f"xnli/train.{language}.tsv": ["premise\thypo\tlabel", *(f"{language} {a}\t{language} {b}\t{label}" for a, b in pairs for label in _LABELS)] for language in ("en", "sw")},
        "xnli.tsv": ["language\tpremise\thypothesis\tlabel", *(f"{language}\t{a}\t{b}\t{label}" for language in ("en", "sw") for a, b in pairs for label in _LABELS)],
        "bucc/set.en": [f"en-{i}\t{a}" for i, (a, _) in enumerate(sentences)],
        "bucc/set.de": [f"de-{i}\tthe {a} ist here" for i, (a, _) in enumerate(pairs)],
        "bucc/set.gold": [f"de-{i}\ten-{i}" for i in range(9)],
        "same-meaning.tsv": ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String", *(f"{i % 2}\t1\t2\t{a}\t{b}" for i, (a, b) in enumerate(sentences))],
        "same-meaning.csv": ["id,sentence1,sentence2,label", *(f'{i},"{a}, so",{b},{i % 2}' for i, (a, b) in enumerate(sentences))],
        "semcor/br-a01": _SEMCOR,
        "tagged.xml": _TAGGED,
        "tagged.key": [f"t{i} {word}%1:0{i % 2}:00:: x%1:00:00::" for i, word in enumerate(EN[:4])],
        "cntlist.rev": [f"{word}%1:00:00:: 1 {i}" for i, word in enumerate(EN)],
        "index.sense": [f"{word}%1:00:00:: 0000{i} 1 {i}" for i, word in enumerate(EN)],
        "named.tsv": [line for i, word in enumerate(EN) for line in ("en:the\tO", f"en:{word}\tB-{'LOC' if i % 2 else 'PER'}", f"en:{word}\tI-{'LOC' if i % 2 else 'PER'}", "")],
        "named.txt": ["-DOCSTART- -X- O", "", *(line for i, word in enumerate(DE) for line in ("das DT O", f"{word} NN S-{'LOC' if i % 2 else 'PER'}", ""))],
        "gold.txt": [f"{i % 6}" for i in range(len(sentences))],
        "kb.txt": [f"C{i}||{b}" for i, (_, b) in enumerate(pairs)] + ["C4|C5||ding"],
        "mentions.txt": [f"C{i}||{b.title()}" for i, (_, b) in enumerate(pairs[:9])],
        "synonyms.txt": [f"C{i}||{name}" for i, both in enumerate(pairs[:9]) for name in both],
        "synonym-pairs.txt": [f"C{i}||{a}||{b}" for i, (a, b) in enumerate(pairs[:9])],
        "MRCONSO.RRF": umls,
        "simlex/translation.csv": [",".join(row) for row in simlex],
        "simlex/scores.csv": ["ID,ENG,FRA", *(f"{i},{i % 6}.5,{i % 5}" for i in range(9))],
        "concepticon.tsv": _CONCEPTICON,
        "pipeline.yaml": _PIPELINE.format(folder=folder).splitlines(),
        "downloads/fetched.json": [json.dumps({"toy.tsv": dict.fromkeys(_LOCKED, "") | {"sha256": hashlib.sha256(b"a\tb\n").hexdigest()}})],
        "downloads/toy.tsv": ["a\tb"],
        "unfinished/done.json": [json.dumps({"made": {"a": 1}, "sizes": {"x": 2}, "warnings": [["a", None]], "device": True})],
        "unfinished/x": ["x"],
        "catalogue.yaml": _CATALOGUE.splitlines(),
    }  # fmt: skip
    for name, lines in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "train.tsv.gz").write_bytes(gzip.compress((folder / "train.tsv").read_bytes(), mtime=0))
    body = b"a\tb\n" * 20
    head = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: "1"\r\nContent-Length: %d\r\n\r\n' % len(body)
    (folder / "answer.http").write_bytes(head + body)
    with tarfile.open(folder / "semcor.tar.xz", "w:xz") as packed:
        packed.add(folder / "semcor", "semcor", filter=_undated)
    with zipfile.ZipFile(folder / "toy.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/data.txt", body)
    (folder / "sdl.xlf").write_bytes((CASES / "sdlxliff-tracked" / "sdl.xlf").read_bytes())


def _undated(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    return member


_SEMCOR = [
    '<contextfile concordance="brown">', "<context filename=br-a01 paras=yes>", '<p pnum="1">',
    *(f'<s snum={i}>\n<wf cmd=ignore pos=DT>The</wf>\n<wf cmd="done" pos="NN" lemma="{word}" wnsn="{i % 3};1" lexsn="1:0{i % 2}:00::;1:07:00::">{word}_{word}</wf>\n<punc>&amp;</punc>\n</s>' for i, word in enumerate(EN[:4])),
    "</p>", "</context>", "</contextfile>",
]  # fmt: skip
_TAGGED = [
    '<?xml version="1.0" encoding="UTF-8" ?>', '<corpus lang="en">', '<text id="d0">',
    *(f'<sentence id="s{i}">\n<wf lemma="a" pos="DET">A</wf>\n<instance id="t{i}" lemma="{word}" pos="NOUN">{word}</instance>\n</sentence>' for i, word in enumerate(EN[:4])),
    "</text>", "</corpus>",
]  # fmt: skip
_LABELS = ("entailment", "contradiction")
_LOCKED = ("name", "part", "url", "licence", "home", "fetched")
_CONCEPTICON = [
    "NUMBER\tSIMLEX_IDS\tLINKS\tENGLISH\tFRENCH\tENGLISH_IN_SOURCE\tFRENCH_IN_SOURCE\tENGLISH_SCORE\tFRENCH_SCORE",
    "1\t7:1\t2\tdog\tchien\tdog\tchien\t5.5\t4",
    "2\t7:2\t1\tcat\tchat\tcat\tchat\t5.5\t4",
]
_PIPELINE = """seed: 3
workdir: runs
steps:
  - stage: map
    name: mapped
    inputs: {{source: "{folder}/en.vec", target: "{folder}/de.vec", dictionary: "{folder}/train.tsv"}}
    params: {{normalise: [unit, center, unit], source_reweight: 0.5}}
  - stage: eval bli
    name: scores
    inputs: {{vectors: "${{mapped}}", dictionary: "{folder}/test.tsv"}}
"""
_CATALOGUE = """toy:
  what: a toy
  licence: CC0
  open: true
  default: all
  keys: en-de
  parts: {all: {url: "http://127.0.0.1:9/toy.tsv", what: "a pair"}}
"""

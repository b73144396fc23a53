"""Two processes train as one does: gather with gradient, averaged gradients, checkpoints of both."""

from __future__ import annotations

import os
import subprocess
import warnings

import pytest
import torch
from forks import Forked
from safetensors.torch import load_file

from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.training.processes import Processes

# Run once alone, and once in two processes: python worker.py KIND ENCODER OUT [CHECKPOINTS STOP]
WORKER = """
import os, signal, sys, warnings
from pathlib import Path
from datetime import timedelta
import numpy as np
import torch
from safetensors.torch import save_file
warnings.simplefilter("ignore")
from lexenc.alignment.span_model import SpanModel
from lexenc.alignment.span_objective import SpanObjective
from lexenc.encoders.elmo import ElmoSettings, new_elmo
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.sentences.objective import SentenceObjective
from lexenc.text.links import LinkedText, Links
from lexenc.training.contrastive import PairObjective
from lexenc.training.data import number_pairs, store_tokens
from lexenc.training.language_models import LanguageTexts
from lexenc.training.losses import mneg
from lexenc.training.schedule import Schedule
from lexenc.training.sense_aware.settings import SensePlan, SenseSettings
from lexenc.training.sense_aware.words import give_senses
from lexenc.training.trainer import Trainer, Validation
from lexenc.training.word_prediction import ElmoLanguageModel, WordObjective, train_word_tokenizer

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
kind, folder, out, *rest = sys.argv[1:]
folder = Path(folder)
torch.set_num_threads(1)
if "RANK" in os.environ:
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{out}.group", rank=rank, world_size=count, timeout=timedelta(seconds=60)
    )
class Near:
    modules = {}
    def __init__(self, encoder, uses_states):
        self.encoder, self.uses_states = encoder, uses_states
    def sizes(self, rows):
        return 2 + rows
    def losses(self, rows, step, states):
        if states is None:
            own = self.encoder.embed([np.arange(2 + row) for row in rows.tolist()])
            return own[:, 0].square() * (torch.from_numpy(rows) + step)
        source, target = states.source[states.source_starts[:-1]], states.target[states.target_starts[:-1]]
        return (source * target).sum(1).square() * (1 + torch.from_numpy(rows))
words = "dog hund cat katze house haus tree baum sun sonne milk milch".split()
if kind == "spans":
    torch.manual_seed(1)
    model = SpanModel.load(folder, new_head=True)
    pairs = [([words[2 * i], words[2 * i + 2], "sun"], [words[2 * i + 1], words[2 * i + 3]]) for i in range(4)]
    source, target = (model.words.cut([pair[side] for pair in pairs]) for side in (0, 1))
    objective = SpanObjective(model, LinkedText(source, target, Links.of([[(0, 0, 1.0), (1, 1, 1.0)]] * 4)))
    module = model.module
elif kind == "senses":
    lines = [f"the {words[i % 12]} saw the {words[i * 5 % 7]}" for i in range(17)]
    tokenizer = train_word_tokenizer({"en": lines}, vocabulary_size=20)
    encoder = new_elmo(tokenizer, ElmoSettings(6, 2, dropout=0.0), seed=0)
    torch.manual_seed(1)
    model = ElmoLanguageModel(encoder)
    settings = SenseSettings(senses=2, width=3, queue=50, refit_every=2, warmup=0.3, prune_every=3, prune_least=1)
    counts = np.where(np.arange(encoder.vocabulary) < 8, 2, 1)
    give_senses(model, SensePlan(counts, settings))
    texts = LanguageTexts.of({"en": model.splitter()(lines)})
    objective = WordObjective(model, texts, negatives=4, exponent=1.0, context="both")
    module = torch.nn.ModuleDict(objective.modules)
else:
    encoder = TransformerEncoder.load_folder(folder)
    data = number_pairs(words[::2], words[1::2], [["katze"]] * 3 + [["hund", "haus"]] * 3)
    tokens = store_tokens(encoder.tokenise, data.texts)
    if "terms" in kind:
        terms = {"near": Near(encoder, True), "apart": Near(encoder, False)}
        objective = SentenceObjective(encoder, data, tokens, mneg, terms, {"near": 0.5})
    else:
        objective = PairObjective(encoder, data, tokens, loss=mneg)
    module = encoder.module
for part in module.modules():
    if isinstance(part, torch.nn.Dropout) and "dropout" not in kind:
        part.p = 0.0
if kind not in ("spans", "senses"):
    encoder = TransformerEncoder(encoder.module)
    objective.encoder = encoder
    for term in getattr(objective, "terms", {}).values():
        term.encoder = encoder
# The last step of an epoch has two pairs of texts, or one question, for two processes.
schedule = Schedule(epochs=3, batch_size=5, learning_rate=1e-3, chunk_tokens=9 if "chunks" in kind else 10_000,
                    checkpoint_seconds=0)
trainer = Trainer(objective, schedule=schedule, evaluation=Validation(lambda: float(trainer.step), 2))
stop = int(rest[1]) if len(rest) > 1 else 0
records = []
def record(one):
    records.append(one)
    if one.step == stop:
        signal.raise_signal(signal.SIGINT)
try:
    trainer.run(Path(rest[0]) if rest else None, record=record)
except KeyboardInterrupt:
    print("interrupted", trainer.step)
weights = {name: each.contiguous().clone() for name, each in module.state_dict().items()}
weights["losses"] = torch.tensor([one.loss for one in records] or [0.0])
for name in records[0].terms if records else ():
    weights["losses of " + name] = torch.tensor([one.terms[name] for one in records])
weights["norms"] = torch.tensor([one.gradient_norm for one in records] or [0.0])
save_file(weights, f"{out}.{os.environ.get('RANK', 'alone')}")
if torch.distributed.is_initialized():
    # A process that ends while the threads of its group still run is aborted now and then.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes") / "tiny"
    words = "dog hund cat katze house haus tree baum sun sonne milk milch".split()
    tokenizer = train_tokenizer(iter(words * 3), kind="bpe", vocabulary_size=60, lowercase=True, special=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_new_transformer(folder, tokenizer, dimensions=16, layers=2, heads=2, max_length=64, seed=0)
    return folder


def start(kind, encoder, out, *more, rank=None):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    if rank is not None:
        environment |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    command = ["-c", WORKER, kind, str(encoder), str(out), *map(str, more)]
    return Forked(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def train(kind, encoder, out, *more, ranks=(None,)):
    """Train in one process or two and return what each printed, with the weights and losses of each."""
    running = [start(kind, encoder, out, *more, rank=rank) for rank in ranks]
    shown = []
    for process in running:
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        shown.append(stdout.strip())
    names = ["alone" if rank is None else str(rank) for rank in ranks]
    return shown, [load_file(f"{out}.{name}") for name in names]


@pytest.mark.parametrize("kind", ["pairs", "pairs in chunks", "terms", "terms in chunks", "spans", "senses"])
def test_two_processes_train_as_one(encoder, tmp_path, kind):
    _, [alone] = train(kind, encoder, tmp_path / "one")
    _, [first, second] = train(kind, encoder, tmp_path / "two", ranks=(0, 1))
    assert len(alone["losses"]) >= 6
    torch.testing.assert_close(first["losses"], alone["losses"], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(first["norms"], alone["norms"], rtol=1e-5, atol=1e-6)
    assert ("losses of near" in alone) == ("terms" in kind)
    for name in alone.keys() - {"losses", "norms"}:
        if name.startswith("losses of "):  # which the first process records
            torch.testing.assert_close(first[name], alone[name], rtol=1e-5, atol=1e-6)
            continue
        assert torch.equal(first[name], second[name]), name
        # A span loss does not depend on biases that shift all logits alike, and AdamW scales their rounding errors up.
        # Neither has a principal component a sign.
        if name.endswith("projection"):
            torch.testing.assert_close(first[name].abs(), alone[name].abs(), rtol=0, atol=1e-4, msg=name)
        elif kind != "spans":
            torch.testing.assert_close(first[name], alone[name], rtol=0, atol=1e-6, msg=name)


def test_interruption_of_one_process_stops_both_and_they_resume_with_the_same_bits(encoder, tmp_path):
    _, whole = train("pairs with dropout", encoder, tmp_path / "whole", ranks=(0, 1))
    shown, _ = train("pairs with dropout", encoder, tmp_path / "half", tmp_path / "kept", 3, ranks=(0, 1))
    assert shown == ["interrupted 3", "interrupted 3"]
    _, again = train("pairs with dropout", encoder, tmp_path / "rest", tmp_path / "kept", ranks=(0, 1))
    for one, other in zip(whole, again, strict=True):
        for name in one.keys() - {"losses", "norms"}:
            assert torch.equal(one[name], other[name]), name
    assert torch.equal(whole[0]["losses"][3:], again[0]["losses"])


def test_share_of_the_rows():
    processes = Processes()
    assert (processes.rank, processes.count, processes.share(5)) == (0, 1, slice(0, 5))
    processes.count = 3
    shares = []
    for processes.rank in range(3):
        shares += range(10)[processes.share(10)]
    assert shares == list(range(10))
    assert processes.share(2) == slice(0, 2), "too few rows for a share each"

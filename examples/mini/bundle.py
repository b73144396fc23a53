"""Put the results of the recipe where the package carries them: `lexenc/resources/mini` and `lexenc/resources/static`.

Run:  python examples/mini/bundle.py runs/mini lexenc/resources

Vectors are stored as float16, half the size; what they encode stays the same to three digits. Nothing else is changed.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lexenc.encoders.card import model_card
from lexenc.files.vectors import load_vectors, save_vectors

LANGUAGES = ("en", "de", "fr", "it", "fi", "tr", "ru", "et", "ca")
CARD = [
    "A bag of subwords in nine languages, bundled with lexenc so that everything can be tried without a network. "
    "It was made with lexenc's own commands; `examples/mini` in the source holds the recipe.",
    "Trained only on the nine-language help text of the LibreOffice office suite, version 7.4 (The Document "
    "Foundation and contributors, Mozilla Public License 2.0), on its paragraphs and on word pairs counted from them. "
    "It knows the words of office software and little else: use it to learn the commands, and a large encoder for "
    "real work.",
    "Input is lower-cased and NFKC-normalised. A text is the mean of its subword vectors; word order does not matter.",
]


def bundle_encoder(source: Path, out: Path) -> None:
    """Copy an encoder with its vectors as float16, and write its card."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    save_half(load_file(source / "model.safetensors")["embedding.weight"], out / "model.safetensors")
    for name in ("tokenizer.json", "modules.json", "config_sentence_transformers.json"):
        shutil.copyfile(source / name, out / name)
    card = model_card("mini", CARD, languages=LANGUAGES, licence="MPL-2.0")
    (out / "README.md").write_text(card, encoding="utf-8")


def save_half(vectors: torch.Tensor, path: Path) -> None:
    """Write vectors as float16, in the form of model2vec with a weight of 1 for every subword.

    sentence-transformers computes in the precision of the vectors, but multiplies by weights in float32. Without them
    its mean of float16 would differ from that of lexenc in the fourth digit.
    """
    save_file({"embeddings": vectors.half(), "weights": torch.ones(len(vectors))}, path)


def main() -> None:
    """Copy everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder with the results of the recipe")
    parser.add_argument("out", type=Path, help="resources folder")
    options = parser.parse_args()
    bundle_encoder(options.runs / "encoder", options.out / "mini")
    for language in ("en", "de"):
        vectors = load_vectors(options.runs / f"static-{language}")
        save_vectors(options.out / "static" / language, vectors.words, vectors.matrix)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{options.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""Write the text of this example: English and German sentences from a small grammar, of which some are translations.

Run:  python examples/self-training/make_text.py
"""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

WHO = [
    ("the teacher", "der Lehrer"), ("my sister", "meine Schwester"), ("the old farmer", "der alte Bauer"),
    ("our neighbour", "unser Nachbar"), ("the nurse", "die Krankenschwester"), ("a young woman", "eine junge Frau"),
    ("the cook", "der Koch"), ("their grandmother", "ihre Großmutter"), ("the policeman", "der Polizist"),
    ("a little boy", "ein kleiner Junge"), ("the doctor", "der Arzt"), ("his uncle", "sein Onkel"),
    ("the student", "der Student"), ("an old friend", "ein alter Freund"), ("the baker", "der Bäcker"),
    ("the driver", "der Fahrer"),
]  # fmt: skip
DOES = [
    ("sells", "verkauft"), ("washes", "wäscht"), ("finds", "findet"), ("brings", "bringt"), ("carries", "trägt"),
    ("paints", "malt"), ("steals", "stiehlt"), ("repairs", "repariert"), ("loses", "verliert"), ("hides", "versteckt"),
    ("buys", "kauft"), ("sees", "sieht"),
]  # fmt: skip
WHAT = [
    ("the bread", "das Brot"), ("a bicycle", "ein Fahrrad"), ("the apples", "die Äpfel"),
    ("an umbrella", "einen Schirm"), ("the letter", "den Brief"), ("a red car", "ein rotes Auto"),
    ("the keys", "die Schlüssel"),
    ("a warm coat", "einen warmen Mantel"), ("the chairs", "die Stühle"), ("a small dog", "einen kleinen Hund"),
    ("the flowers", "die Blumen"), ("a heavy stone", "einen schweren Stein"), ("the cheese", "den Käse"),
    ("the shoes", "die Schuhe"),
]  # fmt: skip
WHERE = [
    ("at the market", "auf dem Markt"), ("in the kitchen", "in der Küche"), ("behind the church", "hinter der Kirche"),
    ("by the river", "am Fluss"), ("in the forest", "im Wald"), ("on the train", "im Zug"),
    ("near the school", "neben der Schule"), ("in the garden", "im Garten"), ("under the bridge", "unter der Brücke"),
    ("in front of the hospital", "vor dem Krankenhaus"), ("on the farm", "auf dem Hof"), ("at home", "zu Hause"),
]  # fmt: skip
WHEN = [
    ("every morning", "jeden Morgen"), ("on Sunday", "am Sonntag"), ("in the evening", "am Abend"),
    ("after the storm", "nach dem Sturm"), ("in winter", "im Winter"), ("before breakfast", "vor dem Frühstück"),
    ("at midnight", "um Mitternacht"), ("once a year", "einmal im Jahr"),
]  # fmt: skip
COMMON, ALONE, SEED, KNOWN = 700, 250, 30, 150


def sentence(parts: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Return a sentence in both languages; in German the verb is second wherever the time stands."""
    who, does, what, where, when = parts
    english = f"{who[0]} {does[0]} {what[0]} {where[0]} {when[0]}."
    german = f"{when[1]} {does[1]} {who[1]} {what[1]} {where[1]}."
    return english[0].upper() + english[1:], german[0].upper() + german[1:]


def main() -> None:
    """Write the files beside this one."""
    draw = random.Random(0)  # noqa: S311 - no secret
    drawn = draw.sample(list(product(WHO, DOES, WHAT, WHERE, WHEN)), COMMON + 2 * ALONE + SEED + KNOWN)
    pairs = [sentence(parts) for parts in drawn]
    common, rest = pairs[:COMMON], pairs[COMMON:]
    alone = rest[:ALONE], rest[ALONE : 2 * ALONE]
    seed, known = rest[2 * ALONE :][:SEED], rest[2 * ALONE :][SEED:]
    for side, name in enumerate(("en", "de")):
        lines = [pair[side] for pair in common + alone[side]]
        draw.shuffle(lines)
        write(f"{name}.txt", lines)
    write("seed.tsv", ["\t".join(pair) for pair in seed])
    write("known.tsv", ["\t".join(pair) for pair in known])


def write(name: str, lines: list[str]) -> None:
    """Write lines to a file beside this one."""
    (Path(__file__).parent / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()

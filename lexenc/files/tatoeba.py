"""The Tatoeba test sets of LASER: for every language, sentences and their English translations, in two files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lexenc.errors import DataError

CODES = {
    "afr": "af", "amh": "am", "ara": "ar", "ben": "bn", "bul": "bg", "cmn": "zh", "deu": "de", "ell": "el",
    "est": "et", "eus": "eu", "fin": "fi", "fra": "fr", "gle": "ga", "heb": "he", "hin": "hi", "hun": "hu",
    "ind": "id", "ita": "it", "jav": "jv", "jpn": "ja", "kat": "ka", "kaz": "kk", "kor": "ko", "mal": "ml",
    "mar": "mr", "nld": "nl", "pes": "fa", "por": "pt", "rus": "ru", "spa": "es", "swh": "sw", "tam": "ta",
    "tel": "te", "tgl": "tl", "tha": "th", "tur": "tr", "urd": "ur", "vie": "vi",
}  # fmt: skip
"""BCP-47 codes of the languages of the lists, by the codes in the names of the files (ISO 639-3)."""

_14 = tuple("ara bul cmn deu ell fra hin rus spa swh tha tur urd vie".split())
_MORE = "afr ben est eus fin heb hun ind ita jav jpn kat kaz kor mal mar nld pes por tam tel tgl".split()
LISTS: Mapping[str, tuple[str, ...]] = {
    "14": _14,
    "36": tuple(sorted((*_14, *_MORE))),
    "8": ("tel", "kat", "kaz", "jav", "mal", "swh", "tgl", "mar"),
    "5": ("kaz", "tel", "kat", "jav", "tgl"),
    "4": ("kaz", "tel", "kat", "jav"),
    "msimcse": ("hin", "fra", "deu", "afr", "tel", "tgl", "gle", "kat", "amh", "swh"),
}
"""Lists of languages in papers.

14: languages of XNLI but English. 36: languages of XTREME. 8, 5 and 4: low-resource languages of WACSE. msimcse: the
ten languages of Table 2 of mSimCSE.
"""
_NAME = re.compile(r"tatoeba\.([a-z]{3})-eng\.(\1|eng)(?:\.gz)?")

_HINT = "Give the folder with the files of LASER: tatoeba.deu-eng.deu, tatoeba.deu-eng.eng and so on."


class TatoebaFiles(NamedTuple):
    """Files of some languages.

    Attributes:
        found: By ISO 639-3 code, the sentences and their English translations.
        missing: Codes of the list without files.
    """

    found: dict[str, tuple[Path, Path]]
    missing: list[str]


def tatoeba_files(folder: Path, name: str = "all") -> TatoebaFiles:
    """Find the files `tatoeba.xxx-eng.xxx` and `tatoeba.xxx-eng.eng` of a list of languages.

    Args:
        folder: The folder.
        name: One of `LISTS`, in whose order they are returned, or `all` for every language of the folder.

    Raises:
        DataError: If the folder has no language of the list, or only one of the two files of a language.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder.", hint=_HINT)
    sides: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        if match := _NAME.fullmatch(path.name):
            sides.setdefault(match[1], {})[match[2]] = path
    wanted = sorted(sides) if name == "all" else LISTS[name]
    found = {}
    for code in wanted:
        own = sides.get(code, {})
        if len(own) == 1:
            lost = f"tatoeba.{code}-eng.{'eng' if code in own else code}"
            raise DataError(f"{folder} has no file {lost}.", hint="Each language needs both of its files.")
        if own:
            found[code] = (own[code], own["eng"])
    if not found:
        whose = "" if name == "all" else f" of the list {name} ({', '.join(wanted)})"
        raise DataError(f"{folder} has no files of a language{whose}.", hint=_HINT)
    return TatoebaFiles(found, [code for code in wanted if code not in found])

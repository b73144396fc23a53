from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexenc.errors import ConfigError
from lexenc.text.folding import Folding, check_language, fold_case


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Straße", "de", "straße"),
        ("KADIN", "tr", "kadın"),
        ("İzlemek", "tr", "izlemek"),
        ("İSTANBUL IĞDIR", "tr-TR", "istanbul ığdır"),
        ("BAKI", "az", "bakı"),
        ("BAKI", "AZ-Latn", "bakı"),
        ("KADIN", "tur", "kadın"),
        ("BAKI", "aze-Latn-AZ", "bakı"),
        ("KADIN", "az-Latn", "kadın"),
        ("KADIN", None, "kadin"),
        ("KADIN", "en", "kadin"),
        ("KADIN", "trv", "kadin"),  # Taroko, no relative of Turkish
        ("ΣΑΣ", "el", "σας"),
        ("日本", "ja", "日本"),
        ("", "tr", ""),
    ],
)
def test_folding_follows_the_language(text, language, expected):
    assert fold_case(text, language) == expected


@pytest.mark.parametrize("code", ["tr", "TR", "tr-TR", "az-Latn", "deu", "zh-Hans-CN", "no", "de-1996", "en-x-mine"])
def test_language_codes(code):
    check_language(code, "--language")


@pytest.mark.parametrize(
    ("code", "hint"),
    [("turkish", "'tr'"), ("t", "'tr'"), ("", "'tr'"), ("tr-", "'tr'"), ("tr TR", "'tr'"), ("tr\n", "'tr'"),
     ("tr_TR", "'tr-TR'"), ("türk", "'tr'")],
)  # fmt: skip
def test_no_language_codes(code, hint):
    with pytest.raises(ConfigError, match="--language must be a language code, got '") as error:
        check_language(code, "--language")
    assert hint in error.value.hint


@given(st.text(max_size=8), st.sampled_from([None, "tr", "de"]))
def test_folding_twice_is_folding_once(text, language):
    once = fold_case(text, language)
    assert fold_case(once, language) == once


@pytest.mark.parametrize(
    ("folding", "text", "language", "expected"),
    [
        (Folding(), "A\u0308pfel", None, "A\u0308pfel"),
        (Folding(unicode="nfc"), "A\u0308pfel", None, "Äpfel"),
        (Folding(unicode="nfc"), "ﬁne Ｗｏｒｄ", None, "ﬁne Ｗｏｒｄ"),
        (Folding(unicode="nfkc"), "ﬁne Ｗｏｒｄ", None, "fine Word"),
        (Folding(lowercase=True, unicode="nfc"), "A\u0308pfel", None, "äpfel"),
        (Folding(lowercase=True, unicode="nfc"), "I\u0307zmir", "tr", "izmir"),
        (Folding(lowercase=True, unicode="nfkc"), "ＫＡＤＩＮ", "tr", "kadın"),
        (Folding(unicode="nfc"), "\u1112\u1161\u11ab", None, "한"),
        (Folding(unicode="nfc"), "a\udcff", None, "a\udcff"),  # a byte that is not UTF-8, as files are read
    ],
)
def test_folding_brings_case_and_normal_form_together(folding, text, language, expected):
    assert folding.fold(text, language) == expected


@given(st.text(max_size=8), st.sampled_from(["nfc", "nfkc"]), st.booleans())
def test_a_folded_text_is_in_its_normal_form(text, form, lowercase):
    folding = Folding(lowercase=lowercase, unicode=form)
    assert unicodedata.is_normalized(form.upper(), folding.fold(text))


def test_folding_that_changes_nothing_is_false():
    assert not Folding()
    assert Folding(lowercase=True)
    assert Folding(unicode="nfc")

"""Word links of parallel sentences, from results of align and from files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lexenc.encoders.fresh import save_new_transformer, train_tokenizer
from lexenc.encoders.transformer import TransformerEncoder
from lexenc.errors import ConfigError, DataError
from lexenc.stages.sentences.links import ParallelRows, read_word_links
from lexenc.training.data import number_pairs

PAIRS = [
    ("The house is big.", "Das Haus ist groß."),
    ("Dogs and cats!", "Hunde und Katzen!"),
    ("", ""),
    ("The dogs are big", "Die Hunde sind groß"),
]
ROWS = ParallelRows("a.txt and b.txt", 4, np.array([1, 2, 4]), np.array([0, 1, 3]))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    place = tmp_path_factory.mktemp("links") / "tiny"
    texts = [text for pair in PAIRS for text in pair] * 3
    tokenizer = train_tokenizer(iter(texts), kind="unigram", vocabulary_size=70, lowercase=True, special=True)
    save_new_transformer(place, tokenizer, dimensions=8, layers=1, heads=1, max_length=40, seed=0)
    return TransformerEncoder.load_folder(place)


@pytest.fixture
def data():
    """Rows of which 0 and 3 come from elsewhere."""
    rows = [("other", "row"), PAIRS[0], PAIRS[1], ("another", "row"), PAIRS[3]]
    return number_pairs(*(list(side) for side in zip(*rows, strict=True)), [])


@pytest.fixture
def aligned(stage, tmp_path):
    files = [tmp_path / name for name in ("a.txt", "b.txt")]
    for side, file in enumerate(files):
        file.write_text("".join(f"{pair[side]}\n" for pair in PAIRS))
    stage("align", tmp_path / "links", {"method": "statistical"}, source=files[0], target=files[1])
    return tmp_path / "links"


def words_of(found, encoder, data, row):
    """Return the words of a row and of its translation as texts of their subwords."""
    shown = []
    for side, texts in ((found.source, data.anchors), (found.target, data.positives)):
        ids = encoder.tokenise([data.texts[texts[row]]])[0]
        tokens = [encoder.tokenizer.id_to_token(number) for number in ids]
        shown.append(["".join(tokens[begin:end]).strip("▁") for begin, end in side[row].tolist()])
    return shown


def test_links_of_a_result_of_align(aligned, encoder, data):
    (aligned / "alignments.txt").write_text("0-0 1-1 3-3\n0-0 2-2\n\n1-1 3-3\n")
    (aligned / "scores.txt").write_text("0.9 0.8 0.3\n0.5 0.7\n\n1 1\n")
    found = read_word_links([aligned], [ROWS], data, encoder, min_score=0.45)
    assert len(found) == 5
    assert found.links.lengths.tolist() == [0, 2, 2, 0, 2]
    assert words_of(found, encoder, data, 1) == [
        ["the", "house", "is", "big", "."],
        ["das", "haus", "ist", "groß", "."],
    ]
    assert found.links[1].tolist() == [[0, 0], [1, 1]]
    assert words_of(found, encoder, data, 0) == [[], []]
    assert dict(found.counts) == {
        "links": 7, "below_score": 1, "cut_off": 0, "without_subwords": 0, "not_chosen": 0
    }  # fmt: skip


def test_links_that_align_made(aligned, encoder, data):
    found = read_word_links([aligned / "alignments.txt"], [ROWS], data, encoder)
    assert found.counts["links"] > 0
    assert found.links.lengths[[0, 3]].tolist() == [0, 0]


def test_a_file_of_links_is_of_the_words_between_spaces(tmp_path, encoder, data):
    (tmp_path / "links.txt").write_text("3-3\n0-0 1-1\n\n0-0\n")
    found = read_word_links([tmp_path / "links.txt"], [ROWS], data, encoder)
    words = words_of(found, encoder, data, 1)
    assert words[0][3] == "big."
    assert found.links[1].tolist() == [[3, 3]]


def test_several_sources_have_an_alignment_each(tmp_path, encoder, data):
    for name, lines in (("one", "0-0\n"), ("two", "0-1\n\n1-1\n")):
        (tmp_path / name).write_text(lines)
    sources = [
        ParallelRows("one.tsv", 1, np.array([1]), np.array([0])),
        ParallelRows("two.tsv", 3, np.array([2, 4]), np.array([0, 2])),
    ]
    found = read_word_links([tmp_path / "one", tmp_path / "two"], sources, data, encoder)
    assert [found.links[row].tolist() for row in range(5)] == [[], [[0, 0]], [[0, 1]], [], [[1, 1]]]
    with pytest.raises(ConfigError, match="1 alignment for 2 parallel sources") as raised:
        read_word_links([tmp_path / "one"], sources, data, encoder)
    assert "once for each" in raised.value.hint


def test_an_alignment_of_another_number_of_sentences_is_refused(aligned, tmp_path, encoder, data):
    with pytest.raises(DataError, match=r"alignments.txt has 4 lines, but c.tsv has 5 sentence pairs"):
        read_word_links([aligned], [replace(ROWS, name="c.tsv", count=5)], data, encoder)
    (aligned / "sentences.txt").write_text("a ||| b\n")
    with pytest.raises(DataError, match=r"sentences.txt has 1 line, but a.txt and b.txt has 4 sentence pairs"):
        read_word_links([aligned], [ROWS], data, encoder)


def test_an_alignment_of_other_sentences_is_refused(aligned, encoder, data):
    lines = (aligned / "sentences.txt").read_text().replace("Katzen", "Mäuse")
    (aligned / "sentences.txt").write_text(lines)
    with pytest.raises(DataError, match=r"sentences.txt, line 2: the word 'Mäuse' does not occur in 'Hunde und Katz"):
        read_word_links([aligned], [ROWS], data, encoder)


def test_links_past_the_end_of_a_sentence_are_refused(tmp_path, encoder, data):
    (tmp_path / "links.txt").write_text("0-0\n0-9\n\n0-0\n")
    with pytest.raises(DataError, match=r"links.txt, line 2: a link is of target word 9"):
        read_word_links([tmp_path / "links.txt"], [ROWS], data, encoder)


def test_no_link_that_can_be_used_is_an_error(tmp_path, encoder, data):
    (tmp_path / "links.txt").write_text("0-0:0.2\n\n\n\n")
    with pytest.raises(DataError, match=r"No word link of .*links.txt can be used \(links 1, below score 1,"):
        read_word_links([tmp_path / "links.txt"], [ROWS], data, encoder, min_score=0.5)
    with pytest.raises(DataError, match="no row with word links"):
        read_word_links([], [], data, encoder)

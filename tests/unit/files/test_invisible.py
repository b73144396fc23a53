"""White space of Unicode and other invisible characters at the ends of cells, in every reader of words."""

from __future__ import annotations

import pytest

from lexenc.files.alignments import read_alignments
from lexenc.files.concepts import stream_concept_names, stream_mentions
from lexenc.files.dictionaries import read_pairs
from lexenc.files.exchange.pairs import PairFile
from lexenc.files.exchange.writing import read_rows
from lexenc.files.lexicons import read_review
from lexenc.files.multi_simlex import read_scored_pairs
from lexenc.files.similarity import read_similarity_file
from lexenc.files.synonyms import read_synonyms
from lexenc.files.vectors import read_vectors
from lexenc.files.vocabularies import read_vocabulary
from lexenc.stages.evaluation.sts import _read as read_sts
from lexenc.text.folding import trim
from lexenc.text.words import split_at_spaces

INVISIBLE = ["\u00a0", "\u2009", "\u3000", "\u200b", "\u2060", "\ufeff", "\u200e", "\u2028", " \u00a0 "]
# The words are `new_york` with a no-break space inside, and `dog`, with # around both.
WORD = "new\u00a0york"
FILES = {
    "dictionary": (f"#{WORD}#\t#dog#\n", lambda path: [list(pair) for pair in read_pairs(path)]),
    "dictionary with spaces": (f"{WORD}# dog#\n", lambda path: [list(pair) for pair in read_pairs(path)]),
    "lexicon": (f"source\ttarget\tprobability\n#{WORD}#\t#dog#\t0.5\n", lambda path: [list(*read_pairs(path))]),
    "similarity": (f"#{WORD}#\t#dog#\t7.5#\n", lambda path: columns(read_similarity_file(path))),
    "similarity with commas": (f"#{WORD}#,#dog#,#7.5\n", lambda path: columns(read_similarity_file(path))),
    "scored pairs": (f"#{WORD}#\t#dog#\t7.5\n", lambda path: columns(read_scored_pairs(path))),
    "vocabulary": (f"#{WORD}#\n#dog#\n", lambda path: [read_vocabulary(path).words]),
    "vocabulary with counts": (f"#{WORD}# 9\n#dog# 3\n", lambda path: [read_vocabulary(path).words]),
    "review": (
        f"source,target,probability,decision,correction\n#{WORD}#,#dog#,0.5,#ok#,#\n",
        lambda path: [list(pair) for pair in read_review(path).accepted],
    ),
    "names": (f"#C1#||#{WORD}#||#dog#\n", lambda path: [list(entry.names) for entry in read_synonyms(path)]),
    "knowledge base": (f"C1||#{WORD}#\nC2||#dog#\n", lambda path: [[name.text for name in stream_concept_names(path)]]),
    "mentions": (f"#{WORD}#\nC2||#dog#\n", lambda path: [[name.text for name in stream_mentions(path)]]),
    "spaced rows": (f"{WORD}# #dog\n", lambda path: [[row.source, row.target] for row in read_rows(path)]),
    "rows to convert": (f"#{WORD}#\t#dog#\n", lambda path: [[row.source, row.target] for row in read_rows(path)]),
    "TMX": (
        "<tmx version='1.4'><header srclang='en'/><body><tu><tuv xml:lang='en'>"
        f"<seg>#{WORD}#</seg></tuv><tuv xml:lang='de'><seg>#dog#</seg></tuv></tu></body></tmx>",
        lambda path: [list(pair[1:3]) for pair in PairFile(path)],
    ),
    "sentences": (f"#{WORD}#\t#dog#\t#3.5#\n", lambda path: [list(row[:2]) for row in read_sts(path)[0].rows]),
}


@pytest.mark.parametrize("around", INVISIBLE)
def test_links_and_names_of_sentences_end_where_the_eye_sees_it(tmp_path, around):
    path = tmp_path / "x"
    path.write_text(f"{around}0-0 1-1{around}\n{around}s2{around}\t{around}0-1{around}\n", encoding="utf-8")
    assert [(row.name, row.sure) for row in read_alignments(path)] == [("", [(0, 0), (1, 1)]), ("s2", [(0, 1)])]


def columns(pairs):
    return [list(pair) for pair in zip(pairs.first, pairs.second, strict=True)]


@pytest.mark.parametrize("reader", FILES)
@pytest.mark.parametrize("around", INVISIBLE)
def test_cells_end_where_the_eye_sees_it(tmp_path, reader, around):
    content, read = FILES[reader]
    path = tmp_path / "x"
    path.write_text(content.replace("#", around), encoding="utf-8")
    assert read(path) == [[WORD, "dog"]]


@pytest.mark.parametrize("around", INVISIBLE)
def test_lines_of_invisible_characters_are_blank(tmp_path, around):
    path = tmp_path / "x"
    path.write_text(f"{around}\ndog\thund\n\t{around}\n", encoding="utf-8")
    assert list(read_pairs(path)) == [("dog", "hund")]


def test_trim_keeps_what_shapes_letters_and_what_is_inside():
    for text in ("\u0645\u06cc\u200c", "\u0915\u094d\u200d", "a\u00a0b", "a\u200bb", "\u00ad"):
        assert trim(text) == text


def test_words_of_vectors_are_as_they_were_trained(tmp_path):
    words = ["\u00a0dog", "dog\u3000", "\u200b", "dog"]
    (tmp_path / "x.vec").write_text("".join(f"{word} 1 2\n" for word in words), encoding="utf-8")
    assert read_vectors(tmp_path / "x.vec").words == words


def test_words_of_a_sentence_keep_their_numbers():
    assert split_at_spaces("\u00a0 Das\u00a0 \u200bHaus\u200b 10\u00a0000 \u3000") == [
        "\u00a0", "Das", "Haus", "10\u00a0000", "\u3000",
    ]  # fmt: skip

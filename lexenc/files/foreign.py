"""Files of another kind than text or word vectors, recognised by their first bytes, and what converts them."""

from __future__ import annotations

import re

# Bytes to look at.
HEAD_BYTES = 4096

_PANDAS = "python -c \"import pandas; pandas.{call}.to_csv('{path}.{end}', sep='{mark}', {columns})\""
_TABLE = _PANDAS.replace("{end}", "tsv").replace("{mark}", "\\t").replace("{columns}", "index=False")
_PACKED = {
    b"\xfd7zXZ\x00": ("packed twice with xz", "xz -dc < {path} > {path}.unpacked.xz"),
    b"\x28\xb5\x2f\xfd": ("packed with Zstandard", "zstd -dc {path} > {path}.unpacked"),
    b"\x04\x22\x4d\x18": ("packed with LZ4", "lz4 -dc {path} > {path}.unpacked"),
    b"\x1f\x9d": ("packed with compress", "gzip -dc < {path} > {path}.unpacked"),
    b"\x1f\x8b": ("packed twice with gzip", "gzip -dc < {path} > {path}.unpacked.gz"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "7z x {path}"),
    b"Rar!\x1a\x07": ("a RAR archive", "unrar x {path}"),
}
_OTHER = {
    b"\x93NUMPY": ("a NumPy array without words", "Use the folder with vectors.npy and words.txt."),
    b"\x89HDF\r\n\x1a\n": (
        "an HDF5 file",
        "If pandas wrote it, convert it: "
        + _PANDAS.format(call="read_hdf('{path}')", path="{path}", end="vec", mark=" ", columns="header=False"),
    ),
    b"PAR1\x15": ("a Parquet file", "Convert it: " + _TABLE.format(call="read_parquet('{path}')", path="{path}")),
    b"ARROW1\x00\x00": ("an Arrow file", "Convert it: " + _TABLE.format(call="read_feather('{path}')", path="{path}")),
    b"SQLite format 3\x00": ("an SQLite database (.magnitude is one)", "Write its vectors as .vec text."),
    b"%PDF-": ("PDF", "Save it as plain text in UTF-8."),
    b"\x89PNG": ("a picture", "Use a file of UTF-8 text."),
    b"\xff\xd8\xff": ("a picture", "Use a file of UTF-8 text."),
    b"{\\rtf": ("RTF", "Save it as plain text in UTF-8."),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("a document of an old Excel or Word", "Save it as text or CSV in UTF-8."),
    b"version https://git-lfs.github.com/spec/": (
        "a pointer of Git LFS, which stands for the file until that is downloaded",
        "Download it, in its repository: git lfs pull",
    ),
}
# PyTorch wrote this number as a pickle before it used zip archives.
_OLD_TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
_GENSIM = re.compile(rb"(gensim\.models\.\w+)[^A-Za-z]+([A-Z]\w+)")
_TAR = re.compile(rb".{257}ustar", re.DOTALL)
_PATTERNS = (
    (re.compile(rb"BZh[1-9]1AY&SY"), "packed with bzip2", "Unpack it: bzip2 -dc {path} > {path}.unpacked"),
    (_TAR, "a tar archive", "Unpack it: tar -xf {path}"),
    (
        # The length of the head in eight bytes, and the head in JSON.
        re.compile(rb".{3}[\x00-\x07]\x00{4}\{\"", re.DOTALL),
        "a safetensors file",
        "It has no words. Use the folder it belongs to: an encoder, or vectors.npy with words.txt.",
    ),
    (
        re.compile(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body|script)\b", re.I | re.S),
        "HTML, a web page",
        "If it should be something else, it may be the error message of a server: download the file again. Otherwise "
        "save it as plain text.",
    ),
    (
        re.compile(rb"(<\?xml[^>]*>)?\s*<Error>\s*<Code>"),
        "an error message of a server",
        "Download the file again.",
    ),
)
# How XML begins, the root elements of translations, and a line that is only a tag with attributes, as in SGML.
_XML = re.compile(rb"\s*<(\?xml|!doctype|!--|(?:[\w.-]*:)?(?:tmx|xliff|martif|tbx)\b)", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:!doctype\s+|[\w.-]*:)?(tmx|xliff|martif|tbx)\b", re.IGNORECASE)
_TAG_LINE = re.compile(rb"""<[a-z][\w:.-]*(\s+[\w:.-]+\s*=\s*("[^"]*"|'[^']*'|\w+))+\s*/?>\s*\Z""", re.IGNORECASE)
# A character of UTF-8 without its last bytes.
_CUT = re.compile(rb"[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2}")


def foreign_kind(head: bytes, path: str) -> tuple[str, str] | None:
    """Return what a file is, if it cannot be text or word vectors, and a hint that says how to convert it.

    Args:
        head: First bytes, unpacked: at least `HEAD_BYTES` if the file has so many.
        path: Its name, for the hint.
    """
    for table, prefix in ((_PACKED, "Unpack it: "), (_OTHER, "")):
        for magic, (kind, hint) in table.items():
            if head.startswith(magic):
                return kind, prefix + hint.replace("{path}", path)
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(head, path)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _pickle_kind(head, path)
    for pattern, kind, hint in _PATTERNS:
        if pattern.match(head):
            return kind, hint.replace("{path}", path)
    if _is_old_fasttext(head):
        return (
            "a fastText model from before 2017, without the mark of today's models",
            "Use the .vec file beside it, or write one with the fastText that made it: "
            f"fasttext print-vectors {path} < words.txt > words.vec",
        )
    return None


def is_tar(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a tar archive."""
    return _TAR.match(head) is not None


def _zip_kind(head: bytes, path: str) -> tuple[str, str]:
    """Return the kind of a zip archive by the name of its first file."""
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if name.endswith(b".npy"):
        return "a NumPy archive (.npz)", "Write its vectors as .vec text, or as vectors.npy with words.txt."
    if name.endswith((b"data.pkl", b"/version", b"/byteorder")):
        return "a PyTorch file", "Write its vectors as .vec text, or use the folder of an encoder with --encoder."
    if name == b"mimetype" or name.startswith((b"[Content_Types]", b"_rels/", b"docProps/", b"xl/", b"word/")):
        return "a spreadsheet or document", "Save it as text or CSV in UTF-8."
    return "a zip archive", f"Unpack it: unzip {path}"


def _pickle_kind(head: bytes, path: str) -> tuple[str, str]:
    if _OLD_TORCH in head[:32]:
        return "a PyTorch file", "Write its vectors as .vec text, or use the folder of an encoder with --encoder."
    hint, known = "Write its vectors as .vec text with the program that made it.", _GENSIM.search(head)
    if known:
        module, name = (part.decode() for part in known.groups())
        words = "" if name.endswith("KeyedVectors") else ".wv"
        hint = (
            f"Convert it: python -c \"from {module} import {name}; "
            f"{name}.load('{path}'){words}.save_word2vec_format('{path}.vec')\""
        )
    return f"a pickle, which may execute code when it is read (protocol {head[1]})", hint


def _is_old_fasttext(head: bytes) -> bool:
    """Return whether a file begins with the twelve settings and the dictionary of a fastText model without a mark."""
    if len(head) < 76:
        return False
    numbers = [int.from_bytes(head[at : at + 4], "little", signed=True) for at in (*range(0, 48, 4), *range(56, 68, 4))]
    size, _, epochs, _, negatives, longest, loss, kind, buckets, shortest_part, longest_part, rate = numbers[:12]
    entries, words, labels = numbers[12:]
    return (
        0 < size < 1 << 14
        and loss in (1, 2, 3)
        and kind in (1, 2, 3)
        and min(epochs, negatives, longest, buckets, shortest_part, longest_part, rate, words, labels) >= 0
        and entries == words + labels > 0
    )


def begins_like_xml(head: bytes) -> bool:
    """Return whether the first bytes of a file are XML, also in UTF-16."""
    return _XML.match(_as_utf8(head)) is not None


def markup_kind(head: bytes, path: str) -> tuple[str, str] | None:
    """Return what a file is, if its markup would be read as words of text, and a hint that says how to convert it.

    Args:
        head: Its first line with text; of XML also the first bytes after it.
        path: Its name, for the hint.
    """
    if begins_like_xml(head):
        root = _ROOT.search(_as_utf8(head))
        if root is None:
            return "XML", "Save it as plain text, with one sentence per line."
        kind = root[1].decode().upper().replace("MARTIF", "TBX")
        return kind, f"Write a column of it as text: lexenc convert {path} | cut -f1 > text.txt (-f2: the target)"
    if _TAG_LINE.match(head):
        return "markup", "Remove the tags first."
    if head.startswith((b'msgid "', b'msgctxt "')):
        return "PO", "Convert it to XLIFF or TMX first, e.g. with po2xliff or po2tmx."
    return None


def _as_utf8(head: bytes) -> bytes:
    wide = wide_encoding(head)
    return head.decode(wide, "replace").encode() if wide else head.removeprefix(b"\xef\xbb\xbf")


def wide_encoding(head: bytes) -> str | None:
    """Return the encoding of text whose characters are two or four bytes, None for other text.

    It is recognised by its byte order mark. Without one, every second byte is 0 for Latin letters, digits and spaces,
    and one or two other small numbers for the letters of another alphabet.
    """
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    first, second = head[::2], head[1::2]
    for name, letters, alphabets in (("utf-16le", first, second), ("utf-16be", second, first)):
        kinds = set(alphabets)
        if 0 in kinds and max(kinds) < 0x20 and 2 * len(kinds) <= len(alphabets) and b"\x00" not in letters:
            return name
    return None


def conversion(line: bytes, at: int, argument: str, *, mixed: bool) -> str:
    """Return a hint for text that is not UTF-8, by what its bytes look like.

    Args:
        line: The line with the first byte that is not UTF-8.
        at: Position of this byte in the line.
        argument: How other programs name the file on the command line.
        mixed: Whether lines before it contain UTF-8 beyond ASCII.
    """
    if _CUT.fullmatch(line, at):
        return "The file ends within a character. Was it copied completely?"
    if mixed or not line[:at].isascii():
        return "The text before it is UTF-8, so correct or delete this line."
    # In European text letters beyond ASCII stand between others. Elsewhere they stand side by side.
    runs = re.findall(rb"[\x80-\xff]+", line)
    if sum(map(len, runs)) > 2 * len(runs):
        return f"Convert it from its encoding, e.g. cp1251, gb18030 or shift_jis: iconv -f cp1251 -t utf-8 {argument}"
    # ISO 8859-1 has only control characters at these bytes, and Windows-1252 has quotation marks and the like.
    name = "cp1252" if re.search(rb"[\x80-\x9f]", line) else "latin1"
    return f"Convert it: iconv -f {name} -t utf-8 {argument}"

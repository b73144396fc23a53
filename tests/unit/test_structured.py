"""Structured files: every value or a DataError that names the file and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from safetensors.numpy import save_file

from lexenc.errors import DataError
from lexenc.structured import checked, parse_json, read_json, read_npy, read_tensors_of, read_yaml


@dataclass(frozen=True)
class Leaf:
    name: str
    value: float | None = None


@dataclass(frozen=True)
class Root:
    kind: Literal["a", "b"]
    leaves: tuple[Leaf, ...]
    table: Mapping[str, list[int]] = field(default_factory=dict)
    pair: tuple[int, str] | None = None
    other: Any = None


def test_json_gives_the_value() -> None:
    assert parse_json('{"a": [1, 2.5, "x\\ud83d\\ude00", null]}', "f") == {"a": [1, 2.5, "x😀", None]}
    assert parse_json(json.dumps("a\udcff"), "f") == "a\udcff"  # a byte that is not UTF-8
    assert parse_json(str(2**128), "f") == 2**128
    assert parse_json("[" * 64 + "1" + "]" * 64, "f")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ('{"a": ', "not JSON"),
        ("[" * 100_000 + "]" * 100_000, "nested more than 64 deep"),
        ("[" * 65 + "]" * 65 + " ", "nested more than 64 deep"),
        ('{"a":' * 70 + "1" + "}" * 70, "nested more than 64 deep"),
        ("NaN", "NaN is not a number"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("1e999", "the number 1e999 is too large"),
        ("9" * 5000, "is too large"),
        ('["\\ud800"]', "half a character"),
        ('{"\\uDFFF": 1}', "half a character"),
    ],
)
def test_damaged_json_is_one_error(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        parse_json(text, "file.json, line 3")
    assert error.value.message.startswith("file.json, line 3: ")
    assert len(error.value.message) < 200


def test_json_files_have_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path) == {"a": 1}
    with pytest.raises(DataError, match="more than 4 bytes"):
        read_json(path, limit=4)
    path.write_bytes(b'{\n"a": "\xff"}')
    with pytest.raises(DataError, match=r"line 2: not UTF-8 \(byte 0xff at offset 8\)"):
        read_json(path)
    with pytest.raises(DataError, match="There is no file"):
        read_json(tmp_path)


def test_a_checked_value_has_its_types() -> None:
    body = {"kind": "b", "leaves": [{"name": "x", "value": 1}, {"name": "y"}], "table": {"n": [3]}, "pair": [1, "z"]}
    assert checked(Root, body, "f") == Root("b", (Leaf("x", 1.0), Leaf("y")), {"n": [3]}, (1, "z"))
    assert checked(dict[str, list[str]], {"a": ["b"]}, "f") == {"a": ["b"]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ([], "the whole is a list, expected a table"),
        ({"kind": "c"}, "kind is 'c', expected one of 'a', 'b'"),
        ({"kind": None}, "kind is null"),
        ({"leaves": "xy"}, "leaves is 'xy', expected a list"),
        ({"leaves": [{"value": 1}]}, r"leaves\[0\].name is missing"),
        ({"leaves": [{"name": "x", "valu": 1}]}, r"leaves\[0\].valu is not a known key"),
        ({"leaves": [{"name": "x", "value": "1"}]}, r"value is '1', expected a finite number or null"),
        ({"leaves": [{"name": "x", "value": True}]}, "value is true, expected"),
        ({"leaves": [{"name": "x", "value": float("nan")}]}, "value is nan, expected a finite"),
        ({"table": {"n": [1.5]}}, r"table.n\[0\] is 1.5, expected a whole number"),
        ({"table": {"n": [True]}}, "is true, expected a whole number"),
        ({"table": {"a b\x1b": 1}}, r"table\['a b\\x1b'\] is 1, expected a list"),
        ({"pair": [1]}, "pair is a list, expected a list of 2 or null"),
        ({"pair": [2**63, ""]}, r"pair\[0\] is 9223372036854775808, expected a whole number of at most 64 bits"),
        ({"z": 1}, "z is not a known key"),
    ],
)
def test_a_wrong_type_is_one_error(change: Any, said: str) -> None:
    body = {"kind": "a", "leaves": []}
    body = body | change if isinstance(change, dict) else change
    with pytest.raises(DataError, match=said) as error:
        checked(Root, body, "m.json")
    assert error.value.message.startswith("m.json: ")


def test_yaml_gives_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &x {b: 1, c: [0.5, yes, ~]}\nd: {<<: *x, b: 2}\ne: 2001-99-99\n1: z\n", encoding="utf-8")
    inner = {"b": 1, "c": [0.5, True, None]}
    assert read_yaml(path) == {"a": inner, "d": inner | {"b": 2}, "e": "2001-99-99", 1: "z"}
    path.write_text("# nothing\n")
    assert read_yaml(path) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: !!int abc\n", "line 2: 'abc' is no int"),
        ("b: !!bool abc\n", "line 1: 'abc' is no bool"),
        ("b: !!float abc\n", "is no float"),
        ("b: !!int ''\n", "is no int"),
        ("b: !!binary '*'\n", "'binary', which is not used"),
        ("b: !!set {a}\n", "'set', which is not used"),
        ("b: !!python/object:os.system {}\n", "which is not used"),
        ("b: !!map x\n", "'map', which is not used"),
        ("\nb: " + "9" * 5000, "line 2: "),
        ("b: 0x" + "f" * 5000, "is too large"),
        ("b: .nan", "not a finite number"),
        ("b: 1.0e+999", "not a finite number"),
        ("b: .inf", "not a finite number"),
        ("[a]: 1", "a key that is a list"),
        ("a: 1\na: 2", "line 2: 'a' is there twice"),
        ("a: &x [*x]", "an alias within its own value"),
        ("[" * 5000, "nested more than 64 deep"),
        ("[" * 70 + "]" * 70, "nested more than 64 deep"),
        ('a: "\\ud800"', "half a character"),
        ('a: "\\UFFFFFFFF"', "line 1: "),
        ('a: "b\\0"', "contains a character that no path"),
        ("a: \x00", "special characters are not allowed"),
        ("a: *b", "undefined alias"),
        ("a: 1\n--- \nb: 2", "line 2: "),
        ("<<: 1", "expected a mapping"),
        ("<<: [[1]]", "expected a mapping"),
        ("a: [", "line 1: "),
    ],
)
def test_damaged_yaml_is_one_error(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as error:
        read_yaml(path)
    assert str(path) in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.parametrize("form", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_that_multiply_are_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.yaml"
    lines = ["a0: &a0 {x: 1}", *(f"a{n + 1}: &a{n + 1} " + form.format(",".join([f"*a{n}"] * 9)) for n in range(12))]
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="aliases that stand for more than 200,000 values"):
        read_yaml(path)


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("made", [np.ones((2, 3), "<f4"), np.ones((3, 2), ">f8").T, np.empty((0, 3), "f4")])
def test_an_array_is_as_written(tmp_path: Path, made: np.ndarray, mmap: bool) -> None:
    np.save(tmp_path / "a.npy", made)
    read = read_npy(tmp_path / "a.npy", mmap=mmap, dimensions=2)
    assert read.dtype == made.dtype
    np.testing.assert_array_equal(read, made)


def test_other_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(3))
    assert read_npy(path, kinds="iu").tolist() == [0, 1, 2]
    with pytest.raises(DataError, match=r"shape \[3\] and type int64, expected a table of floats"):
        read_npy(path, dimensions=2)
    for other in (np.array(["a"]), np.array([{}], object), np.zeros(2, [("a", "f4")])):
        np.save(path, other, allow_pickle=True)
        with pytest.raises(DataError, match=r"a.npy"):
            read_npy(path)
    np.savez(tmp_path / "b.npz", a=np.ones(3))
    with pytest.raises(DataError, match=r"is not a .npy file"):
        read_npy(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(4, 3)", b"(9, 3)"),
        (b"(4, 3)", b"(4,-3)"),
        (b"(4, 3), }           ", b"(99999999999999, 9)}"),
        (b"(4, 3)", b"((4,))"),
        (b"(4, 3)", b"(4, L)"),
        (b"(4, 3), }" + b" " * 50, b"(4, " + b"9" * 53 + b")}"),
        (b"<f4", b"<f3"),
        (b"<f4", b"|O8"),
        (b"<f4", b"<f8"),
        (b"NUMPY", b"NUMPI"),
        (b"False", b"Fals("),
        (b"\x01\x00v", b"\x01\x00\xff"),
        (b"\x01\x00v", b"\x02\x00v"),
    ],
)
def test_a_header_that_lies_is_one_error(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones((4, 3), "<f4"))
    body = path.read_bytes()
    assert old in body
    path.write_bytes(body.replace(old, new, 1))
    with pytest.raises(DataError, match=r"a.npy"):
        read_npy(path)


def test_every_cut_of_an_array_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones((4, 3), "<f4"))
    body = path.read_bytes()
    for end in range(len(body)):
        path.write_bytes(body[:end])
        with pytest.raises(DataError, match=r"a.npy"):
            read_npy(path)


def test_every_cut_of_tensors_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": np.ones((2, 2), np.float32)}, path, metadata={"m": "1"})
    tensors, facts = read_tensors_of(path)
    assert (tensors["a"].shape, facts) == ((2, 2), {"m": "1"})
    body = path.read_bytes()
    for end in range(len(body)):
        path.write_bytes(body[:end])
        with pytest.raises(DataError, match=r"a.safetensors is damaged"):
            read_tensors_of(path)
    with pytest.raises(DataError, match="There is no file"):
        read_tensors_of(tmp_path)

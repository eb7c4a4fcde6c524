"""YAML is read with lines, in the words of YAML 1.2, and hostile files are refused."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from models.errors import FaultyInput
from scenarios.lines import MAX_BYTES, line_at, plain_scalar, read_yaml


def _read(folder: Path, text: str | bytes) -> dict[str, object]:
    path = folder / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


def _refused(folder: Path, text: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(FaultyInput) as raised:
        _read(folder, text)
    assert all(fault.at.file == str(folder / "file.yaml") for fault in raised.value.faults)
    return [(fault.at.line, fault.message, fault.suggestion) for fault in raised.value.faults]


def test_data_and_lines(tmp_path: Path) -> None:
    data = _read(tmp_path, "a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n'e': >-\n  some\n  text\n")
    assert data == {"a": 1, "b": ["x", {"c": 2, "d": 3}], "e": "some text"}
    paths = [("a",), ("b",), ("b", 0), ("b", 1), ("b", 1, "d"), ("e",)]
    assert [line_at(data, path) for path in paths] == [1, 2, 3, 4, 5, 6]
    assert line_at(data, ("b", 1, "missing")) == 4
    assert line_at(data, ("b", 7)) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("NO", "NO"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("017", 17),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("1.5E-2", 0.015),
        (".5", 0.5),
        ("5.", 5.0),
        ("0x10", "0x10"),
        ("2026-03-01", "2026-03-01"),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("9" * 5000, math.inf),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
    ],
)
def test_scalars_of_yaml_1_2(text: str, value: object) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


def test_quoted_scalars_are_text(tmp_path: Path) -> None:
    assert _read(tmp_path, "a: '12'\nb: \"true\"\n") == {"a": "12", "b": "true"}


def test_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert _read(tmp_path, b"\xef\xbb\xbfa: 1\n") == {"a": 1}


def test_aliases_and_merge_keys(tmp_path: Path) -> None:
    text = "a: &base {x: 1, y: 2}\nb: *base\nc: {<<: *base, y: 3}\nd: {y: 4, <<: [*base]}\n"
    data = _read(tmp_path, text)
    assert data["b"] == {"x": 1, "y": 2}
    assert data["c"] == {"x": 1, "y": 3}
    assert data["d"] == {"x": 1, "y": 4}
    assert line_at(data, ("c", "x")) == 1
    assert line_at(data, ("c", "y")) == 3


@pytest.mark.parametrize(
    ("text", "line", "message", "suggestion"),
    [
        ("a: 1\nb: !!python/object/apply:os.system ['id']\n", 2, "tags such as", "remove the tag"),
        ("a: 1\nb: !custom x\n", 2, "!custom", "remove the tag"),
        ("a: 1\n!!str b: 2\n", 2, "tags such as", "remove the tag"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands twice", "the other is on line 1"),
        ("a: *nowhere\n", 1, "*nowhere has no anchor", "&nowhere"),
        ("a: &a [*a]\n", 1, "stands inside its own", "&a"),
        ("a: 1\nb: {<<: 3}\n", 2, "'<<' takes an alias", "<<: *anchor"),
        ("a: 1\n? [x]\n: 2\n", 2, "a key must be plain text", "key: value"),
        ("a: 1\n---\nb: 2\n", 2, "a second document", "one per file"),
        ("- a\n- b\n", 1, "at its top level", "trimtab: 1"),
        ("just words\n", 1, "at its top level", "trimtab: 1"),
        ("a:\n\t- 1\n", 2, "not valid YAML", "spaces"),
        ("a: b: c\n", 1, "not valid YAML", "in quotes"),
        ("a: 1\nb: @home\n", 2, "not valid YAML", "in quotes"),
        ("a: [1, 2\nb: 3\n", 2, "not valid YAML", "brackets"),
        ("a: 1\nb: 'open\n", 3, "not valid YAML", "close the quote"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8", "save it in UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "not UTF-8", "save it in UTF-8"),
        (b"a: 1\nb: \x01\n", 2, "a character that YAML forbids", ""),
    ],
)
def test_refused_with_line_and_hint(
    tmp_path: Path, text: str | bytes, line: int, message: str, suggestion: str
) -> None:
    (fault,) = _refused(tmp_path, text)
    assert fault[0] == line
    assert message in fault[1]
    assert suggestion in fault[2]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_empty_files(tmp_path: Path, text: str) -> None:
    (fault,) = _refused(tmp_path, text)
    assert "empty" in fault[1] or "top level" in fault[1]


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    faults = _refused(tmp_path, "a: !x 1\na: 2\nb: !y 3\nc: [\n")
    assert [line for line, _, _ in faults] == [1, 2, 3, 5]


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "a: [", "[{a: "])
def test_deep_nesting_is_refused(tmp_path: Path, opening: str) -> None:
    (fault,) = _refused(tmp_path, opening * (4_000_000 // len(opening)))
    assert fault[0] == 1


def test_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    (fault,) = _refused(tmp_path, "\n".join(lines))
    assert "aliases expand into more than 200,000 nodes" in fault[1]
    assert fault[0] == 6


def test_bomb_of_flat_aliases_is_refused(tmp_path: Path) -> None:
    text = f"a: &a [{'x, ' * 1000}]\nb: [{'*a, ' * 1000}]\n"
    (fault,) = _refused(tmp_path, text)
    assert fault[0] == 2


def test_large_files_are_refused(tmp_path: Path) -> None:
    (fault,) = _refused(tmp_path, "a: " + "x" * MAX_BYTES)
    assert "larger than 8 MiB" in fault[1]
    assert "table" in fault[2]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FaultyInput, match="no such file"):
        read_yaml(tmp_path / "nothing.yaml")


def test_folder_and_pipe_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(FaultyInput, match="not a regular file"):
            read_yaml(path)


def test_impossible_paths(tmp_path: Path) -> None:
    for path in (tmp_path / "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(FaultyInput):
            read_yaml(path)

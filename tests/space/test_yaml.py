"""YAML as people expect it, and nothing that could run code or fill the memory."""

import pytest

from pipeline.errors import InputError
from pipeline.space.yaml import dump, parse, read_mapping


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e-4", 0.0002),
        ("1e5", 100000),
        ("-1.5E+3", -1500),
        (".5", 0.5),
        ("3.", 3.0),
        ("300_000", 300000),
        ("010", 10),
        ("-3", -3),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("none", "none"),
        ("1e", "1e"),
        ("0x10", "0x10"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("'2e-4'", "2e-4"),
        ("=", "="),
    ],
)
def test_scalars(text, value):
    read = parse(f"a: {text}", "x")["a"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_text():
    assert parse("{1: a, true: b, null: c, 2e-4: d}", "x") == {"1": "a", "true": "b", "null": "c", "2e-4": "d"}


def test_an_alias_stands_for_what_it_names():
    assert parse("a: &x {b: 1}\nc: *x", "x") == {"a": {"b": 1}, "c": {"b": 1}}


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{', '.join(f'*{below}' for _ in range(10))}]\n"
    for below, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: {b: 1\nc: [\n", "line 2: is not YAML: while parsing a flow mapping"),
        ("a:\n\tb: 1\n", "line 2: is not YAML: while scanning for the next token found character '\\t'"),
        ("a: 'b\n", "line 2: is not YAML: while scanning a quoted scalar"),
        ("a: 1\n---\nb: 1\n", "line 2: is not YAML: expected a single document"),
        ("a: \x01", "line 1: is not YAML: special characters are not allowed"),
        ("a: 1\nb: 2\na: 3\n", 'line 3: found the key "a" twice; valid: once'),
        ("x:\n  {a: 1, a: 2}\n", 'line 2: found the key "a" twice; valid: once'),
        ("[a]: 1\n", "line 1: found a list or mapping as a key; valid: text"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "line 1: found the tag !!python/object/apply:os.system; valid: no",
        ),
        ("a: !!binary aGk=\n", "line 1: found the tag !!binary; valid: no tags"),
        ("a: !own 1\n", "line 1: found the tag !own; valid: no tags"),
        ("a: !!int wide\n", 'line 1: found "wide" tagged as int'),
        ("a: *b\n", "line 1: is not YAML: found undefined alias 'b'"),
        ("a: &a {x: *a}\n", "line 1: found an alias inside what it stands for"),
        (BOMB, "line 5: holds more than 50000 values, its aliases written out"),
        ("a: " + "[" * 20_000, "is nested too deeply to be read"),
    ],
)
def test_what_is_not_read(text, line):
    with pytest.raises(InputError) as error:
        parse(text, "x.yaml")
    assert str(error.value).startswith(f"x.yaml: {line}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "line 1: found nothing; valid: a mapping, key: value"),
        (b"- a\n- b\n", "line 1: found a list; valid: a mapping, key: value"),
        (b"hello", 'line 1: found "hello"; valid: a mapping, key: value'),
        (b"\xff\xfe\x00", "is not YAML: not UTF-8 text (byte 0)"),
    ],
)
def test_a_file_that_is_no_mapping(tmp_path, content, line):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_mapping(path, "x.yaml")
    assert str(error.value) == f"x.yaml: {line}"


def test_a_folder_and_a_missing_file_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(InputError, match="cannot be read: "):
            read_mapping(path)


def test_what_is_written_is_read_back():
    tree = {"a": [2e-4, 1e5, 1, True, None, "no", "true", "1e5", "2e-4", "300_000", "12", "", "~", "é: #", "=", ".5"]}
    tree |= {"shared": {"b": tree["a"]}, "1": {}, "empty": []}
    assert parse(dump(tree), "x") == tree

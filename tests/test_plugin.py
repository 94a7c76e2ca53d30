import pickle
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.plugin import fingerprints, pin, resolve, sources


def test_the_object_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("import dataclasses\n@dataclasses.dataclass\nclass Part:\n    x: int = 3\n")
    monkeypatch.chdir(tmp_path)
    part = resolve("mine.py:Part")
    assert part().x == 3
    assert resolve(f"{tmp_path}/mine.py:Part") is part
    assert pickle.loads(pickle.dumps(part(4))).x == 4


def test_an_edited_file_is_imported_anew(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("x = 1")
    assert resolve(f"{file}:x") == 1
    file.write_text("x = 2")
    assert resolve(f"{file}:x") == 2


def test_what_is_pinned_is_taken_for_a_file_that_was_edited_or_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.plugin._pinned", {})
    file = tmp_path / "mine.py"
    file.write_text("import dataclasses\n@dataclasses.dataclass\nclass Part:\n    x: int = 3\n")
    texts = sources({"data": {"name": "digits"}, "game": {"choice": {f"{file}:Part": {}}}})
    before = fingerprints(texts)
    pin(texts)
    file.write_text("raise ValueError('edited')")
    assert resolve(f"{file}:Part")().x == 3
    assert fingerprints(sources([f"{file}:Part"])) != before
    file.unlink()
    assert pickle.loads(pickle.dumps(resolve(f"{file}:Part")(4))).x == 4


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (None, "mine.py:f", "there is no file"),
        ("def make(): ...", "mine.py:mak", 'did you mean "make"'),
        ("import not_there", "mine.py:f", "ModuleNotFoundError: No module named 'not_there'"),
        ("def f(:", "mine.py:f", "SyntaxError"),
        ("raise SystemExit(0)", "mine.py:f", "does not import: SystemExit: 0"),
        (
            "def f():\n    from helpers import g",
            "mine.py:f",
            r"mine.py imports helpers.py, which is beside it and",
        ),
        ("import torch\nx = 1", "mine.py:f", r'has no "f", \(valid: x\)$'),
        ("raise ValueError('first\\nlast')", "mine.py:f", "ValueError: last$"),
        ("x = 1", "mine.txt:x", 'valid: "file.py:object"'),
        ("x = 1", "mine.py:", 'valid: "file.py:object"'),
    ],
)
def test_a_name_that_does_not_resolve(source: str | None, name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("g = 1")
    if source is not None:
        (tmp_path / "mine.py").write_text(source)
    with pytest.raises(InputError, match=message) as raised:
        resolve(f"{tmp_path}/{name}")
    assert "\n" not in str(raised.value)

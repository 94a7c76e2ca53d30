"""The command line called in this process, and a space's file to call it with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.cli.main import app, guarded

SPACE = {
    "data": "{name: digits}",
    "objective": "fid",
    "budget": "{images: 1000}",
    "evaluation": "{every: 100}",
    "search": "{trials: 3}",
    "generator": "{network: dcgan, width: {choice: [8, 16]}}",
    "discriminator": "{network: dcgan}",
    "regularisers": "{choice: {none: {}, r1: {r1: {weight: {log: [0.1, 10]}}}}}",
    "optimiser": "{lr_g: {log: [1e-5, 1e-2]}}",
    "known_good": "[{generator.width: 8, optimiser.lr_g: 2e-4, regularisers: none}]",
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    def line(self) -> str:
        """The one line on standard error, and nothing else anywhere."""
        assert (self.code, self.out) == (2, ""), self
        assert self.err.startswith("gansweep: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()


Call = Callable[..., Said]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command in this process, with a home of its own."""
    monkeypatch.setenv("GANSWEEP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Said:
        with pytest.raises(SystemExit) as ended:
            guarded(lambda **how: app([str(each) for each in arguments], **how))()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return run


@pytest.fixture
def space(tmp_path: Path) -> Callable[..., Path]:
    """A space's file, with some keys written otherwise or (None) not at all."""

    def write(text: str | None = None, **changes: str | None) -> Path:
        path = tmp_path / "space.yaml"
        lines = [f"{key}: {value}" for key, value in {**SPACE, **changes}.items() if value is not None]
        path.write_text("\n".join(lines) + "\n" if text is None else text)
        return path

    return write

"""A game of the user's own, in a file of their own folder, is searched by a real sweep on Ray's workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from rich.console import Console

import pipeline
from pipeline.record.follower import Follower
from pipeline.record.home import run_folder
from pipeline.report.shown import shown
from tests.games.test_own import example

SPACE = """
data: {name: digits}
objective: fid
budget: {images: 4_000}
evaluation: {every: 1_000, samples: 100}
search: {trials: 2}
game: {name: "my_gan.py:MyGame", options: {margin: {log: [0.01, 1]}}}
latent: {size: 8}
generator: {network: mlp, width: 16, depth: 2}
discriminator: {network: mlp, width: 16, depth: 2}
"""


class Gone:
    """Removes a file once the driver is at work."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, sweep: Follower, backlog: Callable[[], int]) -> AbstractContextManager[None]:
        self.path.unlink()
        return nullcontext()

    def say(self, text: str) -> None:
        assert text.startswith(("data: digits: ", "note: a Ray runs on this machine"))  # another's


@pytest.mark.slow
def test_it_travels_to_the_workers_as_it_was_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = example().replace("return generator(inputs)", 'print("the game speaks"); return generator(inputs)')
    (tmp_path / "my_gan.py").write_text(text)
    (tmp_path / "own.yaml").write_text(SPACE)
    monkeypatch.chdir(tmp_path)  # where the file's relative name is from; the workers have another folder
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(pipeline.__file__).parents[1])]))
    sweep = pipeline.Sweep.from_file("own.yaml", home=tmp_path / "home", concurrency=1)
    state = sweep.run(Gone(tmp_path / "my_gan.py"))
    assert not (tmp_path / "my_gan.py").exists()
    assert len(state.runs) == 2
    assert all(run.end_reason in ("completed", "rung", "collapsed", "degenerate") for run in state.runs)
    assert any(run.measurements for run in state.runs)
    for run in state.runs:
        printed = run_folder(tmp_path / "home" / "own", run.trial, run.seed) / "output-1.txt"
        assert set(printed.read_text().splitlines()) == {"the game speaks"}
    console = Console(record=True, width=200)
    console.print(shown(state, state.trials[0], sweep.folder))
    assert f"printed: {sweep.folder / 'trials/0'}" in console.export_text()

"""The commands of README.md and docs/, run in a stranger's folder, on one small sweep that the tour's Python makes."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.schema.health import DEFAULT_RULES
from tests.test_docs import COMMANDS, ROOT, blocks

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs"
SMALL = ("--budget", "2000", "--set", "evaluation.every=1000", "--set", "evaluation.samples=100")
# What is added so that a command is done in seconds; of an option that is given twice the last one counts.
CHEAPER = {
    "run": ("--dry-run",),
    "train": SMALL,
    "pick": ("--top", "1", "--seeds", "2"),
    "resume": ("--trials", "2"),
}
# What stands in a page for a reader's own.
MEANT = {"NAME": "demo", "COMMAND": "run"}
# What is not run here, by how it begins, and why. Verb, options and values are checked by
# tests/test_docs.py all the same.
ELSEWHERE = {
    "gansweep ui": "serves until it is ended: tests/browser",
    "gansweep judge": "serves until it is ended: tests/browser",
    "gansweep stop": "wants a sweep at work: tests/integration/test_sweep.py",
    "gansweep doctor --address": "wants a cluster: tests/integration/test_cluster.py",
    "gansweep generate CHECKPOINT": "wants a checkpoint of a translation or an enlargement: tests/sampling",
    "gansweep generate ... --trust-code": "is no whole command: tests/sampling",
    "gansweep resume NAME --data": "wants data that moved: tests/integration/test_transfer.py",
    "gansweep train progressive": "wants Fashion-MNIST: tests/games/test_progressive.py",
    "make demo": "is `gansweep run digits --name demo`",
    "make test": "is what runs this",
    "make docs": "tests/test_docs.py compares what it writes",
    "python -m docs.pictures": "sweeps for minutes, for the pictures of the README",
}
ALONE = ("doctor", "spaces", "schema")  # verbs that need nothing; of others the name alone is a mention
RUN = [
    command
    for command in COMMANDS
    if not command.startswith(tuple(ELSEWHERE)) and (len(command.split()) > 2 or command.endswith(ALONE))
]
# What makes what others read comes first.
ORDER = ("gansweep pick", "gansweep train")


def meant(word: str) -> str:
    """A word of a command, or a path, as the reader would type it."""
    return "/".join(MEANT.get(part, part) for part in word.split("/"))


def files(folder: Path) -> None:
    """What a reader has: images, and the files that the pages show."""
    chance = np.random.default_rng(0)
    for name in ("photos", "summer", "winter", "sketches"):
        (folder / name).mkdir()
        for at in range(160):
            Image.fromarray(chance.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / name / f"{at}.png")
    game, parts = blocks(DOCS / "own-parts.md", "python")
    (folder / "my_gan.py").write_text(game)
    (folder / "parts.py").write_text(parts)
    (folder / "my_space.yaml").write_text(blocks(ROOT / "README.md", "yaml")[0])
    (folder / "mine.yaml").write_text("health: {low_diversity: {threshold: 0.2}}\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished sweep `demo`, made by the tour's Python of a smaller space, and a second one."""
    folder = tmp_path_factory.mktemp("project")
    files(folder)
    digits = (ROOT / "search_spaces" / "digits.yaml").read_text()
    for there, instead in {
        "images: 120_000": "images: 6_000",
        "every: 6_000": "every: 1_000, samples: 100",
        "trials: 20": "trials: 2, concurrency: 1",
        "first: 36_000": "enabled: false",
    }.items():
        assert there in digits
        digits = digits.replace(there, instead)
    rules = ", ".join(f"{rule}: null" for rule in DEFAULT_RULES)  # for so short a run
    (folder / "demo.yaml").write_text(f"{digits}health: {{{rules}}}\n")
    (script,) = blocks(DOCS / "tour.md", "python")
    assert 'from_file("digits", name="mine")' in script
    made = script.replace('from_file("digits", name="mine")', 'from_file("demo.yaml", name="demo")')
    done = subprocess.run([sys.executable, "-c", made], cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tail" in done.stdout, done.stdout
    shutil.copytree(folder / "sweeps" / "demo", folder / "sweeps" / "my_space")
    return folder


def commands() -> list[list[str]]:
    """Their arguments as they are run, each once."""
    there: dict[tuple[str, ...], None] = {}
    for command in sorted(RUN, key=lambda each: [not each.startswith(verb) for verb in ORDER]):
        program, *arguments = map(meant, shlex.split(command.partition(" > ")[0]))
        assert program == "gansweep", command
        there[*arguments, *(() if "--help" in arguments else CHEAPER.get(arguments[0], ()))] = None
    return [list(each) for each in there]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "GANSWEEP_HOME"}
    return {**kept, "PYTHONPATH": str(ROOT)}


def test_each_of_them_does_what_it_says(project: Path) -> None:
    """In one test: what one makes the next one reads."""
    assert len(RUN) >= 25
    for arguments in commands():
        whole = [sys.executable, "-m", "pipeline.cli", *arguments]
        done = subprocess.run(whole, cwd=project, env=environment(), capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}"
        assert done.stdout.strip() or done.stderr.strip(), arguments


def test_what_is_run_elsewhere_is_still_said() -> None:
    for beginning in ELSEWHERE:
        assert any(command.startswith(beginning) for command in COMMANDS), beginning

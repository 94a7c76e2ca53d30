"""sys.exit() in what is the user's own names it, before training and while it goes on: it is never the end of ours."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.data.dataset import load
from pipeline.errors import GansweepError, InputError
from pipeline.faults import classify
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.schema.trial import DataSpec, OwnMetricSpec
from tests.sampling.test_exporting import OWN

TREE: dict[str, Any] = {
    "data": {"name": "digits"},
    "objective": "spread",
    "budget": {"images": 320},
    "evaluation": {"every": 160, "samples": 200, "metrics": {"spread": {"name": "FILE:spread", "minimise": False}}},
    "generator": {"network": "mlp", "width": 8, "depth": 1},
    "discriminator": {"network": "mlp", "width": 8, "depth": 1},
    "batch_size": 16,
}
METRIC = "import sys\ncalls = []\ndef spread(evaluated):\n    calls.append(1)\n    EXIT\n    return float(len(calls))\n"
EXITS = {
    "a code": "sys.exit(3)",
    "none": "sys.exit()",
    "zero": "raise SystemExit(0)",
    "a text": "sys.exit('no licence')",
    "later": "len(calls) > 1 and sys.exit(4)",  # the first call is before the training
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: the features of the digits are trained once."""
    return tmp_path_factory.mktemp("home")


def trained(folder: Path, home: Path, source: str, **changes: Any) -> Any:
    file = folder / "mine.py"
    file.write_text(source)
    tree = json.loads(json.dumps(TREE | changes).replace("FILE", str(file)))
    (folder / "x.yaml").write_text(yaml.safe_dump(tree))
    command = ["train", str(folder / "x.yaml"), "--home", str(home), "-o", str(folder / "run")]
    return CliRunner().invoke(app, command, catch_exceptions=True).exception


@pytest.mark.parametrize("written", EXITS.values(), ids=EXITS)
def test_in_a_metric(tmp_path: Path, home: Path, written: str) -> None:
    error = trained(tmp_path, home, METRIC.replace("EXIT", written))
    assert isinstance(error, InputError)
    assert f'evaluation.metrics.spread: "{tmp_path}/mine.py:spread" failed: SystemExit' in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("written", ["sys.exit(3)", "raise SystemExit", "exit()", "quit(1)"])
def test_in_a_data_function(tmp_path: Path, written: str) -> None:
    (tmp_path / "mine.py").write_text(f"import sys\ndef rows(resolution):\n    {written}\n")
    with pytest.raises(InputError, match=r'mine.py:rows" failed: SystemExit'):
        load(DataSpec(name=f"{tmp_path}/mine.py:rows"), None, tmp_path)


@pytest.mark.parametrize("written", ["sys.exit(3)", "sys.exit()", "raise SystemExit('no')"])
def test_as_a_file_is_imported(tmp_path: Path, written: str) -> None:
    (tmp_path / "mine.py").write_text(f"import sys\n{written}\ndef f(x): return 1\n")
    metric = {"mine": OwnMetricSpec(name=f"{tmp_path}/mine.py:f", minimise=True)}
    with pytest.raises(InputError, match=r"mine\.py does not import: SystemExit"):
        Evaluator.open(DataSpec(name="ring8"), Asked(100, own=metric), tmp_path, None, "cpu")


@pytest.mark.parametrize(
    ("written", "kind", "said"),
    [
        ("raise SystemExit(5)", InputError, r"SystemExit: 5 \(mine\.py, line \d+, in generator_loss\)"),
        (
            "turn.progress.step > 5 and sys.exit(6)",
            GansweepError,
            r"crashed.*SystemExit: 6 \(mine\.py, line \d+, in generator_",
        ),
    ],
    ids=["at once", "while it trains"],
)
def test_in_a_game(tmp_path: Path, home: Path, written: str, kind: type, said: str) -> None:
    head = "generator, discriminator, turn):\n        "
    game = OWN.replace(head, f"{head}{written}\n        ")
    assert game != OWN
    changes = {"game": {"name": "FILE:Tiny"}, "objective": "fid", "evaluation": {"every": 160, "samples": 200}}
    error = trained(tmp_path, home, "import sys\n" + game, **changes)
    assert type(error) is kind
    assert re.search(said, str(error)), error


def test_in_a_worker_it_is_a_crash_with_its_place(tmp_path: Path) -> None:
    try:
        raise SystemExit(7)
    except SystemExit as error:
        reason, evidence = classify(error, tmp_path)
    assert reason == "crashed"
    assert evidence["error"].startswith("SystemExit: 7 (test_exits.py, line ")
    assert "SystemExit: 7" in (tmp_path / "traceback.txt").read_text()

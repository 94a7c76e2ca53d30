"""init_from in a sweep's file: pinned when it is read, noticed when it changed, searched with freeze-D."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.space.check import to_build
from pipeline.space.load import from_tree, load, load_trial
from tests.space.test_load import SPACE


def write(folder: Path, init_from: str) -> str:
    path = folder / "x.yaml"
    path.write_text(SPACE + f"init_from: {init_from}\n")
    return str(path)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is in a file is read when networks are built; until then it is its path and hash."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.pt").write_bytes(b"weights")
    return tmp_path / "old.pt"


HASH = hashlib.sha256(b"weights").hexdigest()[:16]


@pytest.mark.parametrize("written", ["old.pt", "{path: old.pt}", "{path: ./old.pt, partial: false}"])
def test_a_path_is_pinned_by_its_place_and_hash(tmp_path: Path, weights: Path, written: str) -> None:
    file = load(write(tmp_path, written))
    assert (file.tree["init_from"]["path"], file.tree["init_from"]["hash"]) == (str(weights), HASH)
    spec = to_build(file.space)[0]
    assert spec.init_from is not None
    spec.init_from.check()
    weights.write_bytes(b"others")
    again = from_tree(file.tree, file.source)  # what a resume reads: it can be looked at all the same
    assert again.tree == file.tree
    with pytest.raises(InputError, match=f"is not the checkpoint that was meant: its hash is .*, not {HASH}"):
        spec.init_from.check()
    weights.unlink()
    with pytest.raises(InputError, match=r"old.pt, which is no file; valid: a checkpoint"):
        spec.init_from.check()


def test_it_is_searched_as_an_option_with_freeze_d_beneath(tmp_path: Path, weights: Path) -> None:
    written = "{choice: {scratch: null, warm: {path: old.pt, freeze_discriminator: {choice: [0, 1]}}}}"
    file = load(write(tmp_path, written), ["known_good=[]"])
    names = [parameter.name for parameter in file.space.parameters()]
    assert names[-2:] == ["init_from", "init_from[warm].freeze_discriminator"]
    found = {spec.init_from.freeze_discriminator for spec in to_build(file.space) if spec.init_from}
    assert found == {0, 1}


def test_one_configuration_of_a_run_that_is_pinned(tmp_path: Path, weights: Path) -> None:
    spec, _, _ = load_trial(write(tmp_path, "old.pt"))
    assert spec.init_from is not None
    assert (spec.init_from.path, spec.init_from.hash) == (str(weights), HASH)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("new.pt", r"x.yaml: init_from.path: .*new.pt: no checkpoint and no folder of a run; valid: SWEEP/trials"),
        ("3", r"x.yaml: init_from: found 3; valid: a mapping of freeze_discriminator, hash, partial, path"),
        ("{partial: true}", r"x.yaml: init_from.path: missing; it must be given"),
        ("{path: old.pt, freeze: 1}", r'init_from.freeze: unknown key "freeze", \(valid: freeze_disc'),
        ("{path: old.pt, freeze_discriminator: -1}", r"init_from.freeze_discriminator: found -1; valid: greater than"),
        ("{path: {choice: [old.pt, old.pt2]}}", r"init_from.path: found a distribution; valid: one value, or a choice"),
        ("{path: old.pt, hash: zz}", r'init_from.hash: found "zz"; valid: '),
    ],
)
def test_what_is_refused(tmp_path: Path, weights: Path, written: str, line: str) -> None:
    with pytest.raises(InputError, match=line) as error:
        load(write(tmp_path, written))
    assert "\n" not in str(error.value)


def test_a_runs_folder_is_read_without_torch(tmp_path: Path) -> None:
    from tests.training import toy

    measured = list(toy.run(tmp_path / "run"))
    best = min(measured, key=lambda m: m.metrics[toy.OBJECTIVE])
    script = (
        "import sys; from pathlib import Path; from pipeline.schema.checkpoint import find\n"
        f"print(find(Path({str(tmp_path / 'run')!r})).name, 'torch' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [Path(str(best.checkpoint)).name, "False"]

"""What every test gets: one thread for each process, and the folder of the real data sets."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Before numpy or torch is loaded, here or in a process that a test starts: two threads on a shared core are
# many times slower than one.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The read-only folder with fashion_mnist, mnist, emoji_domains and gan_traces; copy before unpacking."""
    root = Path(os.environ.get("GANSWEEP_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"no real data sets at {root}: set GANSWEEP_TEST_DATA to the folder that has them")
    return root


@pytest.fixture(scope="session", autouse=True)
def _the_checkout_is_left_as_it_was() -> Iterator[None]:
    """No command and no test leaves a file in the checkout but what .gitignore names."""

    def untracked() -> set[str]:
        command = ["git", "-C", str(ROOT), "ls-files", "--others", "--exclude-standard"]
        try:
            return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())
        except (OSError, subprocess.CalledProcessError):  # an archive, without git
            return set()

    before = untracked()
    yield
    assert untracked() - before == set()


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """A test that asked torch for more threads does not pass them on; torch is not imported for it."""
    yield
    if (torch := sys.modules.get("torch")) is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """The folder of a sweep called clothes that has begun, in the home tmp_path / "home"."""
    from pipeline.record.log import Record
    from pipeline.space.load import load

    folder = tmp_path / "home" / "clothes"
    folder.mkdir(parents=True)
    file = load("digits")
    record = Record(folder / "events.jsonl")
    spec = file.sweep.model_dump(mode="json")
    record.append("sweep", name="clothes", space=file.tree, source=file.source, spec=spec, seed=0, versions={})
    record.close()
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a disk of so many MiB: a tmpfs, which only root may mount."""
    mounted: list[Path] = []

    def make(size: int) -> Path:
        path = tmp_path / f"disk-{len(mounted)}"
        path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            pytest.skip(f"cannot mount a small disk: {error}")
        if done.returncode:
            pytest.skip(f"cannot mount a small disk: {done.stderr.strip()}")
        mounted.append(path)
        return path

    yield make
    for path in mounted:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """Takes all the room there is but `leave` bytes, in a file to be removed again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(2**16))
    os.truncate(ballast, max(0, ballast.stat().st_size - leave))
    return ballast

"""What every test gets: one thread for each process, and the folder of the real data sets."""

import os
import sys
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """A test that asked torch for more threads does not pass them on; torch is not imported for it."""
    yield
    if (torch := sys.modules.get("torch")) is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)

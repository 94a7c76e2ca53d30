"""What an error of a run is called, where its traceback is, and whether it is the machine's."""

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import InputError, NodeFault
from pipeline.faults import classify, of_node


class OutOfMemoryError(RuntimeError):
    """As torch names it; the driver knows it by its name, without torch."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("bad\nshape"), "crashed"),
        (ValueError(), "crashed"),
        (MemoryError(), "out_of_memory"),
        (OutOfMemoryError("CUDA"), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (RuntimeError("sizes must match"), "crashed"),
        (InputError("g.depth: found 4"), "invalid"),
    ],
)
def test_an_error_of_a_run_is_an_end_reason_with_a_traceback_in_its_folder(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    try:
        raise error
    except Exception as raised:
        found, evidence = classify(raised, tmp_path / "run")
    assert (found, evidence["traceback"]) == (reason, "traceback.txt")
    assert type(error).__name__ in evidence["error"]
    assert "\n" not in evidence["error"]
    text = (tmp_path / "run" / evidence["traceback"]).read_text()
    assert "Traceback (most recent call last)" in text
    assert type(error).__name__ in text


def of_storage(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("error", "node"),
    [
        (of_storage(errno.EROFS, "RUN/checkpoints/1.pt"), True),
        (of_storage(errno.EACCES, "RUN/samples"), True),
        (of_storage(errno.ENOENT, "DATA/cats/1.png"), True),
        (of_storage(errno.ESTALE, ""), True),
        (of_storage(errno.ENOENT, "/else/mine.txt"), False),  # what the user's own code looks for
        (of_storage(errno.EEXIST, "RUN/samples"), False),
        (RuntimeError("No CUDA GPUs are available"), True),
        (RuntimeError("CUDA driver initialization failed, you might not have a CUDA gpu."), True),
        (AssertionError("Torch not compiled with CUDA enabled"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (NodeFault("other features"), True),
        (InputError("g.depth: found 4"), False),
        (ValueError("bad shape"), False),
    ],
)
def test_an_error_of_the_environment_is_the_machines(tmp_path: Path, error: Exception, node: bool) -> None:
    run, data = tmp_path / "run", tmp_path / "data"
    run.mkdir()
    data.mkdir()
    if isinstance(error, OSError) and error.filename:
        named = error.filename.replace("RUN", str(run)).replace("DATA", str(data))
        error = OSError(error.errno, error.strerror, named)
    assert of_node(error, run, [data]) == node
    wrapped = InputError("data.name: it does not load")
    wrapped.__context__ = error  # as a loader raises it, from None
    assert of_node(wrapped, run, [data]) == node


def test_data_that_this_machine_alone_lacks_blame_no_configuration(tmp_path: Path) -> None:
    error = InputError(f"{tmp_path}/data: there is no such folder")
    assert of_node(error, tmp_path, [tmp_path / "data"])
    assert not of_node(ValueError("bad shape"), tmp_path, [tmp_path / "data"])

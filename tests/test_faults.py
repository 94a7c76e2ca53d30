"""What an error of a run is called, and where its traceback is."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.faults import classify


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

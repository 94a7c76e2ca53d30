"""Data that does not fit in memory: prepared and read through a file, to the bit what it is in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.data import rows
from pipeline.data.cache import cached
from pipeline.data.dataset import PARTS, Dataset, load
from pipeline.schema.trial import DataSpec, TrialSpec, resolve
from pipeline.training.state import initial
from pipeline.training.step import step

SIDE = 12


def grey(random: np.random.RandomState) -> Image.Image:
    return Image.fromarray(random.randint(0, 256, (SIDE, SIDE + 3)).astype(np.uint8))


def coloured(random: np.random.RandomState) -> Image.Image:
    return Image.fromarray(random.randint(0, 256, (SIDE, SIDE, 3)).astype(np.uint8))


def deep(random: np.random.RandomState) -> Image.Image:
    return Image.fromarray(random.uniform(-3, 7, (SIDE, SIDE)).astype(np.float32))


def folder(path: Path, *kinds: Any) -> Path:
    """Two classes of 60 pictures each."""
    random = np.random.RandomState(0)
    for number in range(120):
        of_class = path / "ab"[number % 2]
        of_class.mkdir(parents=True, exist_ok=True)
        kinds[number % len(kinds)](random).save(of_class / f"{number}.tiff")
    return path


def read(path: Path, cache: Path) -> Dataset:
    return load(DataSpec(name=f"imagefolder:{path}", resolution=8), None, cache)


def without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fits, and no more than a few images are taken at a time."""
    monkeypatch.setattr(rows, "SHARE", 0.0)
    monkeypatch.setattr(rows, "CHUNK", 1000)


@pytest.mark.parametrize("kinds", [(grey,), (coloured,), (grey, coloured), (grey, deep), (coloured, deep, grey)])
def test_what_is_prepared_through_a_file_is_the_same(
    kinds: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder(tmp_path / "pictures", *kinds)
    expected = read(path, tmp_path / "held")
    without_memory(monkeypatch)
    found = read(path, tmp_path / "streamed")
    assert (found.fingerprint, found.channels, found.notes, found.read) == (
        *(expected.fingerprint, expected.channels, expected.notes, expected.read),
    )
    for part in PARTS:
        assert torch.equal(found.part(part), expected.part(part))
        assert torch.equal(getattr(found, f"{part}_labels"), getattr(expected, f"{part}_labels"))
    held, streamed = (next((tmp_path / each / "data").glob("*.safetensors")) for each in ("held", "streamed"))
    assert held.read_bytes() == streamed.read_bytes()
    left = [each.suffix for each in (tmp_path / "streamed").rglob("*") if each.is_file()]
    assert sorted(left) == [".lock", ".safetensors"]


def test_a_training_on_streamed_data_is_the_same_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder(tmp_path / "pictures", coloured)
    network = {"network": "dcgan", "width": 2}
    tree = {
        "data": {"name": f"imagefolder:{path}", "resolution": 8, "mirror": True},
        "budget": {"images": 64},
        "evaluation": {"every": 32},
        "generator": network,
        "discriminator": network,
        "batch_size": 16,
    }
    spec = resolve(TrialSpec.model_validate(tree), cuda=False)

    def trained(dataset: Dataset) -> list[Tensor]:
        state = initial(spec, dataset, 1)
        for _ in range(10):  # more than an epoch
            step(state, state.batches.next(state.randomness), state.randomness)
        return [*state.game.generator.parameters(), *state.game.discriminator.parameters()]

    expected = trained(read(path, tmp_path / "held"))
    without_memory(monkeypatch)
    for one, other in zip(trained(read(path, tmp_path / "streamed")), expected, strict=True):
        assert torch.equal(one, other)


def test_a_cache_is_safetensors_as_its_own_library_reads_it(tmp_path: Path) -> None:
    given = {
        "bytes": torch.arange(7, dtype=torch.uint8).reshape(7, 1),
        "numbers": torch.linspace(0, 1, 5, dtype=torch.float64),
        "half": torch.zeros(0, 3),
        "labels": torch.arange(3),
        "rows": rows.Rows(torch.arange(20.0).reshape(10, 2).T.contiguous().T, torch.tensor([7, 1, 1])),
    }
    cached(tmp_path / "x.safetensors", lambda: (given, {"fact": 1}))
    found = load_file(tmp_path / "x.safetensors")
    assert found.keys() == given.keys()
    for name, value in given.items():
        assert torch.equal(found[name], rows.whole(value))
        assert found[name].dtype == value.dtype
    save_file({"x": torch.ones(2)}, tmp_path / "y.safetensors", metadata={"facts": "{}"})  # of before
    entry = cached(tmp_path / "y.safetensors", lambda: pytest.fail("it is there"))
    assert torch.equal(entry[0]["x"], torch.ones(2))


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "LIMITS", tmp_path)
    whole_machine = rows.free()
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("600000\n")
    assert rows.free() == 400_000
    assert rows.fits(100_000)
    assert not rows.fits(100_001)
    (tmp_path / "memory.max").write_text("max\n")
    assert rows.free() > whole_machine / 2


SCRIPT = """
import re, sys
from pathlib import Path
import torch
from pipeline.data import rows
from pipeline.data.cache import cached
def own():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) // 1024
def make(folder, count):
    room = rows.room((count, 1024), folder)
    for at in range(0, count, 1000):
        room[at : at + 1000] = at // 1000
    samples, order = torch.from_numpy(room), torch.randperm(count)
    taken = samples[order] if rows.SHARE else rows.Rows(samples, order)
    held = own()
    entry = cached(folder / f"{count}-{rows.SHARE}.safetensors", lambda: ({"x": taken}, {}))
    return max(held, own()), int(entry[0]["x"][:, 0].sum()), own()
folder = Path(sys.argv[1])
make(folder, 1000)  # whatever is set up once
rows.CHUNK = 2**22
for rows.SHARE in (0.0, 0.25):
    before = own()
    most, total, _ = make(folder, 100_000)
    print(most - before, total, own() - before)
"""


def test_preparing_and_reading_hold_no_more_than_a_chunk_in_memory(tmp_path: Path) -> None:
    """100 MB are in the process's own memory, twice, where they fit, and some chunks of 4 where they do not; what is
    read of the cache is mapped, not copied."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    streamed, held = ([int(value) for value in line.split()] for line in done.stdout.splitlines())
    assert streamed[1] == held[1] == 1000 * sum(range(100))
    assert held[0] > 180
    assert streamed[0] < 50  # what the allocator keeps of freed chunks among it
    assert streamed[2] < 50

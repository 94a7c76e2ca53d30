import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.data import mixtures
from pipeline.data.dataset import Dataset, load
from pipeline.errors import InputError
from pipeline.schema.trial import DataSpec

PARTS = ("train", "validation", "test")


def rows(data: Dataset, part: str) -> list[bytes]:
    return [row.numpy().tobytes() for row in data.part(part)]


def test_digits_are_the_1797_of_scikit_learn_in_three_parts(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    data = load(DataSpec(name="digits"), None, tmp_path)
    assert [len(data.part(part)) for part in PARTS] == [1077, 360, 360]
    assert (data.kind, data.channels, data.resolution, data.classes) == ("image", 1, 8, 10)
    official = [np.rint(image * 255 / 16).astype(np.uint8).tobytes() for image in load_digits().images]
    assert sorted(row for part in PARTS for row in rows(data, part)) == sorted(official)


def test_labels_stay_with_their_images(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    data = load(DataSpec(name="digits"), None, tmp_path)
    bunch = load_digits()
    labels = {
        np.rint(image * 255 / 16).astype(np.uint8).tobytes(): t
        for image, t in zip(bunch.images, bunch.target, strict=True)
    }
    for part, found in (
        ("train", data.train_labels),
        ("validation", data.validation_labels),
        ("test", data.test_labels),
    ):
        assert found is not None
        assert found.tolist() == [labels[row] for row in rows(data, part)]


def test_parts_are_fixed_for_ever(tmp_path: Path) -> None:
    """Whoever changes a split changes every published number: the fingerprints are of contents and order."""
    found = {name: load(DataSpec(name=name), None, tmp_path).fingerprint for name in ("digits", "ring8", "grid25")}
    assert found["digits"] == "3c9bb3e9a1234636"
    torch.manual_seed(1)
    np.random.seed(1)
    again = {name: load(DataSpec(name=name), None, tmp_path / "other").fingerprint for name in found}
    assert again == found


@pytest.mark.parametrize(("name", "modes", "sigma", "reach"), [("ring8", 8, 0.01, 1.0), ("grid25", 25, 0.05, 4.0)])
def test_mixtures_are_those_of_pacgan(name: str, modes: int, sigma: float, reach: float, tmp_path: Path) -> None:
    data = load(DataSpec(name=name), None, tmp_path)
    assert data.means is not None
    assert (len(data.train), len(data.means), data.sigma, data.kind) == (100_000, modes, sigma, "points")
    assert float(data.means.abs().max()) == pytest.approx(reach)
    distances = torch.cdist(data.train.double(), data.means.double())
    nearest, index = distances.min(1)
    assert torch.bincount(index).tolist() == pytest.approx([100_000 / modes] * modes, rel=0.06)
    # the square of a 2-D Gaussian's radius has the mean 2 sigma^2
    assert float(nearest.square().mean()) == pytest.approx(2 * sigma**2, rel=0.02)
    assert not set(rows(data, "train")) & set(rows(data, "validation"))


def test_a_mixture_of_another_seed_is_another_draw() -> None:
    assert not torch.equal(mixtures.draw("ring8", 10, 1), mixtures.draw("ring8", 10, 2))


def test_resolution_resizes(tmp_path: Path) -> None:
    native = load(DataSpec(name="digits"), None, tmp_path)
    double = load(DataSpec(name="digits", resolution=16), None, tmp_path)
    assert double.train.shape == (1077, 1, 16, 16)
    assert double.fingerprint != native.fingerprint
    assert float(double.train.float().mean()) == pytest.approx(float(native.train.float().mean()), rel=0.01)


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    first = load(DataSpec(name="digits"), None, tmp_path)
    [file] = (tmp_path / "data").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:1000])
    assert load(DataSpec(name="digits"), None, tmp_path).fingerprint == first.fingerprint


@pytest.mark.slow
def test_processes_that_start_together_share_one_cache(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipeline.data.dataset import load; "
        "from pipeline.schema.trial import DataSpec; "
        "print(load(DataSpec(name='digits'), None, Path(sys.argv[1])).fingerprint)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0].strip() for process in started]
    assert outputs == ["3c9bb3e9a1234636"] * 2
    assert [file.name for file in (tmp_path / "data").iterdir() if file.suffix == ".safetensors"] == [
        "digits-v2.safetensors"
    ]


def test_fashion_mnist_from_a_folder_that_cannot_be_written(data_root: Path, tmp_path: Path) -> None:
    before = sorted(str(file) for file in data_root.rglob("*"))
    data = load(DataSpec(name="fashion_mnist"), data_root, tmp_path)
    assert [len(data.part(part)) for part in PARTS] == [50_000, 10_000, 10_000]
    assert (data.channels, data.resolution, data.classes) == (1, 28, 10)
    assert data.test_labels is not None
    assert data.test_labels[:5].tolist() == [9, 2, 1, 1, 6]  # the first of the official test part
    assert sorted(str(file) for file in data_root.rglob("*")) == before
    inner = load(DataSpec(name="fashion_mnist"), data_root / "fashion_mnist", tmp_path / "other")
    assert inner.fingerprint == data.fingerprint


def test_missing_files_that_cannot_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision

    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(InputError) as raised:
        load(DataSpec(name="mnist"), tmp_path / "root", tmp_path / "cache")
    line = str(raised.value)
    assert str(tmp_path / "root" / "MNIST" / "raw") in line
    assert "train-images-idx3-ubyte.gz" in line
    assert "--data-root" in line
    assert "\n" not in line
    assert list((tmp_path / "root").rglob("*.gz")) == []


def test_a_damaged_archive_is_named_and_not_replaced(data_root: Path, tmp_path: Path) -> None:
    raw = tmp_path / "root" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_root / "mnist" / "MNIST" / "raw").glob("*.gz"):
        os.symlink(file, raw / file.name)
    torn = raw / "t10k-labels-idx1-ubyte.gz"
    content = torn.read_bytes()[:100]
    torn.unlink()
    torn.write_bytes(content)
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte.gz: damaged"):
        load(DataSpec(name="mnist"), tmp_path / "root", tmp_path / "cache")
    assert hashlib.md5(torn.read_bytes()).digest() == hashlib.md5(content).digest()

"""Samples from a checkpoint: classes, truncation, ways through the latent space, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data.dataset import Dataset
from pipeline.errors import InputError
from pipeline.sampling.generating import Wanted, generate
from pipeline.schema.trial import TrialSpec
from pipeline.training.state import initial
from pipeline.training.step import step
from pipeline.training.store import Store
from tests.conformance.test_training import data

CLASSES = 10


PETS = ("cat", "dog", "emu", "fox", "gnu")


def checkpoint(folder: Path, conditional: bool, dataset: Dataset | None = None, **changes: Any) -> Path:
    """A few steps of a game on the digits."""
    tree: dict[str, Any] = {
        "data": {"name": "digits"},
        "budget": {"images": 640},
        "evaluation": {"every": 320},
        "game": {"condition": {"kind": "projection"}} if conditional else {},
        "latent": {"size": 6},
        "generator": {"network": "mlp", "width": 16, "depth": 1},
        "discriminator": {"network": "mlp", "width": 16, "depth": 1},
        "batch_size": 16,
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous",
    }
    spec = TrialSpec.model_validate(tree | changes)
    state = initial(spec, dataset or data("digits"), seed=1)
    for _ in range(3):
        step(state, state.batches.next(state.randomness), state.randomness)
    content = {"state": state.tensors(), "spec": spec.model_dump(mode="json"), "shape": list(state.facts.shape)}
    store = Store(folder)
    return folder / store.save(state.images, content)


def of_classes(names: tuple[str, ...], missing: tuple[int, ...] = ()) -> Dataset:
    """The digits, as if of as many classes; of some no training sample."""
    digits = data("digits")
    assert digits.train_labels is not None
    labels = torch.arange(len(digits.train_labels)) % max(len(names), 5)
    for label in missing:
        labels = torch.where(labels == label, (label + 1) % 5, labels)
    return replace(digits, train_labels=labels, classes=max(len(names), 5), class_names=names)


def labels_of(path: Path, wanted: Wanted, out: Path) -> list[int]:
    generate(path, wanted, 0, out / "x.npz")
    found: list[int] = np.load(out / "x.npz")["labels"].tolist()
    return found


def samples(path: Path, wanted: Wanted, out: Path, seed: int = 0) -> np.ndarray[Any, Any]:
    generate(path, wanted, seed, out / "x.npz")
    found: np.ndarray[Any, Any] = np.load(out / "x.npz")["samples"]
    return found


def test_a_row_of_each_class_has_the_same_latents(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, conditional=True)
    rows = samples(path, Wanted(40, label="all"), tmp_path).reshape(CLASSES, 4, 64)
    for label in (0, 7):
        alone = samples(path, Wanted(4, label=str(label)), tmp_path).reshape(4, 64)
        np.testing.assert_allclose(rows[label], alone, atol=1e-6)
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    assert np.abs(rows[0, 0] - rows[0, 1]).max() > 1e-3


@pytest.mark.parametrize("conditional", [True, False])
def test_a_picture_of_ways_has_one_in_each_row(tmp_path: Path, conditional: bool) -> None:
    """A narrow generator is smooth: each image of a way is nearer to the next one than to the other end."""
    path = checkpoint(tmp_path, conditional)
    for way in ("spherical", "linear"):
        found = samples(path, Wanted(18, columns=9, path=way), tmp_path).reshape(2, 9, 64)
        steps = np.abs(np.diff(found, axis=1)).mean(2)
        ends = np.abs(found[:, 0] - found[:, -1]).mean(1)
        assert (steps.max(1) < 0.5 * ends).all()
    out = tmp_path / "ways.png"
    generate(path, Wanted(18, columns=9, path="spherical"), 0, out)
    width, height = Image.open(out).size
    assert width / height == pytest.approx(4.5, rel=0.05)


def test_truncation_brings_samples_nearer_to_each_other(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, conditional=False)
    spread = [float(samples(path, Wanted(200, truncation=limit), tmp_path).std(0).mean()) for limit in (0.1, 1.0, None)]
    assert spread == sorted(spread)
    assert spread[0] < 0.3 * spread[2]


def test_the_seed_decides(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, conditional=True)
    first = samples(path, Wanted(8), tmp_path)
    assert np.array_equal(first, samples(path, Wanted(8), tmp_path))
    assert not np.array_equal(first, samples(path, Wanted(8), tmp_path, seed=1))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"label": "10"}, "--class: found 10; valid: 0 to 9, or all"),
        ({"label": "cat"}, "--class: found cat; valid: 0 to 9, or all"),
        ({"label": "all", "path": "linear"}, "--class: found all with --interpolate; valid: one class"),
        ({"path": "curved"}, "--interpolate: found curved; valid: spherical, linear"),
        ({"path": "linear", "columns": 7}, r"--columns: found 7; valid: 2 or more that divide -n \(64\)"),
        ({"truncation": 0.0}, "--truncation: found 0.0; valid: above 0"),
        ({"truncation": float("nan")}, "--truncation: found nan; valid: above 0"),
        ({"label": "²"}, "--class: found ²; valid: 0 to 9, or all"),
        ({"label": "all", "count": 25}, "-n: found 25 with --class all; valid: a multiple of the 10 classes"),
        ({"label": "all", "count": 100, "columns": 3}, "-n: found 100 with --class all; valid: 30"),
    ],
)
def test_what_is_refused(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    path = checkpoint(tmp_path, conditional=True)
    with pytest.raises(InputError, match=line):
        generate(path, replace(Wanted(), **changes), 0, tmp_path / "x.png")


@pytest.mark.parametrize(
    ("wanted", "count", "columns"),
    [
        (Wanted(), 64, 8),
        (Wanted(50), 50, 7),
        (Wanted(50, path="linear"), 50, 5),
        (Wanted(7, path="linear"), 7, 7),
        (Wanted(label="all"), 80, 8),
        (Wanted(label="all", columns=3), 30, 3),
        (Wanted(20, label="all"), 20, 2),
    ],
)
def test_as_many_as_asked_for_and_the_arrays_have_the_classes(
    tmp_path: Path, wanted: Wanted, count: int, columns: int
) -> None:
    path = checkpoint(tmp_path, conditional=True)
    for name in ("x.npz", "x.png"):
        generate(path, wanted, 0, tmp_path / name)
    arrays, (width, _) = np.load(tmp_path / "x.npz"), Image.open(tmp_path / "x.png").size
    assert len(arrays["samples"]) == len(arrays["labels"]) == count
    if wanted.label == "all":
        assert np.array_equal(arrays["labels"], np.arange(CLASSES).repeat(columns))
    elif wanted.path:
        assert (arrays["labels"].reshape(-1, columns) == arrays["labels"].reshape(-1, columns)[:, :1]).all()
    one = Image.open(tmp_path / "x.png")
    generate(path, Wanted(columns, columns=columns), 0, tmp_path / "row.png")
    assert one.size[0] == width == Image.open(tmp_path / "row.png").size[0]


@pytest.mark.parametrize(
    ("names", "label", "number"),
    [
        (PETS, "cat", 0),
        (PETS, "gnu", 4),
        (PETS, "3", 3),
        (("2019", "2020", "2021", "2022", "2023"), "2021", 2),
        (("1", "2", "3", "4", "5"), "1", 0),  # the name goes before the number
        (("-1", "0", "1", "2", "3"), "-1", 0),
        ((), "4", 4),  # an older checkpoint
    ],
)
def test_a_class_has_a_name(names: tuple[str, ...], label: str, number: int, tmp_path: Path) -> None:
    path = checkpoint(tmp_path, True, of_classes(names))
    assert labels_of(path, Wanted(4, label=label), tmp_path) == [number] * 4
    assert np.load(tmp_path / "x.npz")["labels"].tolist() == [number] * 4
    assert tuple(np.load(tmp_path / "x.npz").get("class_names", ())) == names


@pytest.mark.parametrize(
    ("names", "missing", "label", "line"),
    [
        (PETS, (), "bird", "found bird; valid: cat, dog, emu, fox, gnu, or all"),
        (PETS, (), "5", "found 5; valid: cat, dog"),
        (PETS, (2,), "emu", "found emu, of which no training sample was; valid: cat, dog, fox, gnu, or all"),
        (PETS, (2,), "2", "found 2, of which no training sample was"),
        ((), (1, 2), "1", "found 1, of which no training sample was; valid: 0, 3, 4, or all"),
        (("2019", "2020", "2021", "2022", "2023"), (), "0", "found 0; valid: 2019, 2020"),
        (tuple(f"n{at}" for at in range(30)), (), "x", "n19 and 10 more (--class list shows them), or all"),
    ],
)
def test_a_class_that_is_not_there_is_refused_by_name(
    names: tuple[str, ...], missing: tuple[int, ...], label: str, line: str, tmp_path: Path
) -> None:
    path = checkpoint(tmp_path, True, of_classes(names, missing))
    with pytest.raises(InputError) as raised:
        generate(path, Wanted(label=label), 0, tmp_path / "x.png")
    assert line in str(raised.value)
    assert not (tmp_path / "x.png").exists()


def test_classes_are_listed_with_their_training_samples(tmp_path: Path) -> None:
    dataset = of_classes(PETS, missing=(2,))
    path = checkpoint(tmp_path, True, dataset)
    lines = generate(path, Wanted(label="list"), 0, tmp_path / "x.png").splitlines()
    assert [line.split()[0] for line in lines] == list(PETS)
    assert lines[2] == "emu  (0 training samples)"
    assert not (tmp_path / "x.png").exists()


def test_a_row_of_each_class_that_was_trained_has_its_name(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, True, of_classes(PETS, missing=(2,)))
    assert labels_of(path, Wanted(label="all", columns=3), tmp_path) == [0] * 3 + [1] * 3 + [3] * 3 + [4] * 3
    plain = checkpoint(tmp_path / "plain", True, of_classes((), missing=(2,)))
    sizes = {}
    for name, of in (("named", path), ("numbered", plain)):
        generate(of, Wanted(label="all", columns=3), 0, tmp_path / f"{name}.png")
        sizes[name] = Image.open(tmp_path / f"{name}.png").size
    assert sizes["named"][1] == sizes["numbered"][1]
    margin = sizes["named"][0] - sizes["numbered"][0]
    assert margin > 10
    letters = np.asarray(Image.open(tmp_path / "named.png").convert("L"))[:, :margin]
    rows = np.array_split(letters, 4)
    assert all((row < 100).any() for row in rows)  # black on white beside each row
    assert len({row[: len(rows[-1])].tobytes() for row in rows}) == 4


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, conditional=False)
    (tmp_path / "file").write_text("")
    for name in ("x.png", "x.npz"):
        with pytest.raises(InputError, match=r"--out: .*file/x.* cannot be written"):
            generate(path, Wanted(4), 0, tmp_path / "file" / name)


def test_a_class_needs_a_condition_and_a_truncation_gaussian_latents(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, False, latent={"size": 4, "distribution": "uniform"})
    with pytest.raises(InputError, match=r"--class: the checkpoint is of a game without a condition"):
        generate(path, Wanted(label="1"), 0, tmp_path / "x.png")
    with pytest.raises(InputError, match=r"--truncation: found 1.0 with uniform latents"):
        generate(path, Wanted(truncation=1.0), 0, tmp_path / "x.png")


def test_both_kinds_of_file_say_that_they_are_synthetic(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, conditional=False)
    for name in ("x.png", "x.npz"):
        generate(path, Wanted(4), 0, tmp_path / name)
    picture, arrays = Image.open(tmp_path / "x.png"), np.load(tmp_path / "x.npz")
    assert picture.info["Software"] == str(arrays["software"]) == "gansweep"
    assert picture.info["Synthetic"] == str(arrays["synthetic"])
    assert picture.info["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")

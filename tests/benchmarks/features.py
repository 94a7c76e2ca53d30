"""Whether images without labels are told apart as a classifier's features tell them: damages, ranked by FID.

python -m tests.benchmarks.features --data-root FOLDER [--data fashion_mnist mnist digits] [--features random ...]
    [--candidates rotation ...] [--cache FOLDER]

Real training images, as many as an evaluation has (at most 2,000), are damaged and compared with the validation part.
By Kendall's tau the FIDs in each kind of features are held against those in the features of a classifier with labels:
over the seven damages of the table, and over those and 17 more of the same kinds, weaker and stronger. --candidates:
how else a network could learn without labels, see tests/benchmarks/candidates.py. All have the same layers and width.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from scipy.stats import kendalltau
from torch import Tensor

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.metrics.convnet import one_thread
from pipeline.metrics.extractor import SAMPLES_A_FEATURE, WIDTH, Extractor
from pipeline.metrics.features import open_extractor
from pipeline.metrics.frechet import frechet_distance, real_moments
from pipeline.schema.trial import DataSpec
from tests.benchmarks.candidates import CANDIDATES

SAMPLES = 2_000
NEAREST = 5_000, 1_000  # training and validation images that nearest neighbours are looked up in and for
SEVEN = ("one class missing", "half missing", "one left", "blur", "noise", "10 images", "copies of 200")


def damages(data: Dataset, count: int) -> dict[str, Tensor]:
    """(count, C, R, R) in [-1, 1] by name, the seven first; "none" is not damaged. Blur and shift are in pixels of 28
    a side, and as large a share of other sides."""
    draw = torch.Generator().manual_seed(0)
    order = torch.randperm(len(data.train), generator=draw)
    assert data.train_labels is not None
    images, labels = data.train[order], data.train_labels[order]
    whole, side = to_float(images[:count]), int(data.resolution or 0) / 28
    grain = torch.randn(whole.shape, generator=draw)

    def of(kept: Tensor) -> Tensor:
        return repeated(to_float(images[kept][:count]), count)

    found = {
        "one class missing": of(labels != 5),
        "half missing": of(labels < 5),
        "one left": of(labels == 0),
        "blur": blurred(whole, max(0.5, side)),
        "noise": (whole + 0.2 * grain).clamp(-1, 1),
        "10 images": repeated(whole[:10], count),
        "copies of 200": repeated(whole[:200], count),
    }
    found |= {f"{missing} missing": of(labels != missing) for missing in (0, 1, 3, 7, 9)}
    found |= {"3 missing": of(labels >= 3), "7 missing": of(labels >= 7), "1 left": of(labels == 1)}
    found |= {f"blur {size}": blurred(whole, max(0.3, size * side)) for size in (0.5, 0.75, 1.5, 2.0)}
    found |= {f"noise {size}": (whole + size * grain).clamp(-1, 1) for size in (0.05, 0.1, 0.4)}
    found |= {"copies of 50": repeated(whole[:50], count), "shift": whole.roll(max(1, round(2 * side)), 3)}
    return found | {"none": whole}


def repeated(images: Tensor, count: int) -> Tensor:
    return images.repeat(-(-count // len(images)), 1, 1, 1)[:count]


def blurred(images: Tensor, sigma: float) -> Tensor:
    """By a Gaussian of `sigma` pixels."""
    reach = max(1, round(3 * sigma))
    kernel = torch.exp(-torch.arange(-reach, reach + 1.0).square() / (2 * sigma**2))
    rows = (kernel / kernel.sum()).view(1, 1, 1, -1).repeat(images.shape[1], 1, 1, 1)
    padded = torch.nn.functional.pad(images, [reach] * 4, mode="replicate")
    for each in (rows, rows.transpose(2, 3)):
        padded = torch.nn.functional.conv2d(padded, each, groups=images.shape[1])
    return padded


def fids(extractor: Extractor, data: Dataset, damaged: Mapping[str, Tensor]) -> dict[str, float]:
    real = real_moments(extractor(data.validation))
    return {name: frechet_distance(real, extractor(images)) for name, images in damaged.items()}


def agreement(extractor: Extractor, data: Dataset) -> float:
    """The share of validation images whose nearest training image is of their class: features that know nothing of
    classes do not have it."""
    train, validation = (
        extractor(part[:many]) for part, many in zip((data.train, data.validation), NEAREST, strict=True)
    )
    assert data.train_labels is not None
    assert data.validation_labels is not None
    found = data.train_labels[torch.cdist(validation, train).argmin(1)]
    return float((found == data.validation_labels[: len(validation)]).float().mean())


def candidate(name: str, data: Dataset) -> Extractor:
    """A network trained as tests/benchmarks/candidates.py says, as the extractor is."""
    width = max(2, min(WIDTH, len(data.validation) // SAMPLES_A_FEATURE))
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CANDIDATES[name](data, width)
    return Extractor(name, network.eval().requires_grad_(False), {})


def compare(data: Dataset, cache: Path, features: list[str], candidates: list[str]) -> None:
    """Prints a row for each kind of features; none but the classifier's are handed the labels."""
    damaged = damages(data, min(SAMPLES, len(data.validation)))
    several = [name for name in damaged if name != "none"]
    alone = replace(data, train_labels=None, validation_labels=None, test_labels=None, classes=0)
    opened: dict[str, Callable[[], Extractor]] = {
        name: lambda name=name: open_extractor(data if name == "classifier" else alone, cache, features=name)
        for name in ("classifier", *features)
    }
    opened |= {name: lambda name=name: candidate(name, alone) for name in candidates}
    labelled: dict[str, float] = {}
    for name, make in opened.items():
        began = time.process_time()
        extractor = make()
        spent = time.process_time() - began
        found = fids(extractor, data, damaged)
        labelled = labelled or found
        taus = [kendalltau([labelled[each] for each in of], [found[each] for each in of])[0] for of in (SEVEN, several)]
        cells = [*(f"{found[each]:.3g}" for each in ("none", *SEVEN)), *(f"{tau:.2f}" for tau in taus)]
        print(
            f"| {data.name} | {name} | {' | '.join(cells)} | {agreement(extractor, data):.2f} | {spent:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--data", nargs="+", default=["fashion_mnist", "mnist", "digits"])
    parser.add_argument("--features", nargs="*", default=["random", "self_supervised"])
    parser.add_argument("--candidates", nargs="*", default=[], choices=sorted(CANDIDATES))
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["data", "features", "none", *SEVEN, "tau", "tau of 24", "same class", "s"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        for name in arguments.data:
            data = load(DataSpec(name=name), arguments.data_root, cache)
            compare(data, cache, arguments.features, arguments.candidates)

"""Features that are learned without labels: the same each time, and what they tell that random ones do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.metrics.extractor import Extractor
from pipeline.metrics.features import open_extractor
from pipeline.metrics.frechet import frechet_distance, real_moments
from pipeline.metrics.selfsupervised import views
from pipeline.schema.trial import DataSpec

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def labelled(cache: Path) -> Dataset:
    return load(DataSpec(name="digits"), None, cache)


@pytest.fixture(scope="module")
def digits(labelled: Dataset) -> Dataset:
    """Without their labels."""
    return replace(labelled, train_labels=None, validation_labels=None, test_labels=None, classes=0)


@pytest.fixture(scope="module")
def extractor(digits: Dataset, cache: Path) -> Extractor:
    return open_extractor(digits, cache)


def test_auto_learns_without_labels_where_there_are_none(extractor: Extractor, digits: Dataset, cache: Path) -> None:
    assert extractor.name.startswith("digits-selfsup64-")
    assert open_extractor(digits, cache, features="self_supervised").name == extractor.name
    assert extractor.facts["loss"] < 4  # of 1,000 images told apart blindly: log(1,000), 6.9


def test_the_same_weights_each_time_and_from_the_cache(
    extractor: Extractor, digits: Dataset, cache: Path, tmp_path: Path
) -> None:
    small = replace(digits, train=digits.train[:200])
    torch.manual_seed(99)
    random = torch.get_rng_state()
    first = open_extractor(small, tmp_path / "a")
    torch.set_num_threads(2)
    assert open_extractor(small, tmp_path / "b").name == first.name
    assert torch.equal(torch.get_rng_state(), random)
    [file] = (cache / "extractors").glob("*selfsup*.safetensors")
    written = file.stat().st_mtime_ns
    assert open_extractor(digits, cache).name == extractor.name
    assert file.stat().st_mtime_ns == written


def same_class(extractor: Extractor, data: Dataset) -> float:
    """The share of validation digits whose nearest training digit, in the features, is of their class."""
    assert data.train_labels is not None
    near = torch.cdist(extractor(data.validation), extractor(data.train)).argmin(1)
    return float((data.train_labels[near] == data.validation_labels).float().mean())


def test_missing_classes_cost_more_beside_blur_than_in_random_features(
    extractor: Extractor, digits: Dataset, labelled: Dataset, cache: Path
) -> None:
    """What random features get wrong: half the digits missing costs less there than a mild blur."""
    images = to_float(digits.train)
    assert labelled.train_labels is not None
    half = images[labelled.train_labels < 5][:360]
    blurred = torch.nn.functional.avg_pool2d(images[:360], 3, 1, 1) / 2 + images[:360] / 2

    def ratio(of: Extractor) -> float:
        real = real_moments(of(digits.validation))
        return frechet_distance(real, of(half)) / frechet_distance(real, of(blurred))

    random = open_extractor(digits, cache, features="random")
    print(ratio(extractor), ratio(random), same_class(extractor, labelled))
    assert ratio(extractor) > 2 * ratio(random)
    assert same_class(extractor, labelled) > 0.95


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 33), (3, 64)])
def test_views_are_of_any_size_and_differ_from_image_to_image(channels: int, side: int) -> None:
    image = torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.manual_seed(0)
    seen = views(image.expand(20, -1, -1, -1))
    assert seen.shape == (20, channels, side, side)
    assert bool(seen.isfinite().all())
    assert float(torch.pdist(seen.flatten(1)).min()) > 0.1

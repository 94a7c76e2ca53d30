from pathlib import Path

import pytest
import safetensors.torch
import torch

from pipeline.data.dataset import Dataset, load
from pipeline.errors import InputError
from pipeline.metrics.features import open_extractor
from pipeline.schema.trial import DataSpec


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(cache: Path) -> Dataset:
    return load(DataSpec(name="digits"), None, cache)


def unlabelled(tmp_path: Path, count: int = 500, channels: int = 1) -> Dataset:
    (tmp_path / "mine.py").write_text(
        "import torch\ndef make(resolution):\n"
        f"    return torch.rand({count}, {channels}, 8, 8, generator=torch.Generator().manual_seed(0))\n"
    )
    return load(DataSpec(name=f"{tmp_path}/mine.py:make"), None, tmp_path)


def test_a_classifier_that_knows_its_digits(digits: Dataset, cache: Path) -> None:
    extractor = open_extractor(digits, cache)
    assert extractor.facts["accuracy"] > 0.95
    features = extractor(digits.validation)
    assert features.shape == (360, 64)
    assert torch.linalg.matrix_rank(features.double().T.cov()) == 64


def test_trained_once_and_the_same_when_trained_again(digits: Dataset, cache: Path, tmp_path: Path) -> None:
    first = open_extractor(digits, cache)
    [file] = (cache / "extractors").glob("*.safetensors")
    written = file.stat().st_mtime_ns
    assert open_extractor(digits, cache).name == first.name
    assert file.stat().st_mtime_ns == written
    torch.manual_seed(99)
    random = torch.get_rng_state()
    assert open_extractor(digits, tmp_path).name == first.name
    assert torch.equal(torch.get_rng_state(), random)


def test_weights_that_are_not_the_named_ones_are_refused(digits: Dataset, cache: Path, tmp_path: Path) -> None:
    open_extractor(digits, cache)
    [file] = (cache / "extractors").glob("*.safetensors")
    with safetensors.safe_open(file, framework="pt") as opened:
        facts = opened.metadata()
    weights = {name: tensor + 1e-3 for name, tensor in safetensors.torch.load_file(file).items()}
    (tmp_path / "extractors").mkdir()
    safetensors.torch.save_file(weights, tmp_path / "extractors" / file.name, metadata=facts)
    with pytest.raises(InputError, match="delete it"):
        open_extractor(digits, tmp_path)


def test_random_features_are_to_be_asked_for(tmp_path: Path) -> None:
    data = unlabelled(tmp_path)
    extractor = open_extractor(data, tmp_path, features="random")
    assert extractor.name.startswith("make-random20-")  # 100 in the validation part, 5 a feature
    features = extractor(data.train)
    assert features.std(0).tolist() == pytest.approx([1] * 20, abs=0.1)
    assert torch.linalg.matrix_rank(features.double().T.cov()) == 20
    assert open_extractor(data, tmp_path / "other", features="random").name == extractor.name


def test_uint8_and_float_images_have_the_same_features(digits: Dataset, cache: Path) -> None:
    extractor = open_extractor(digits, cache)
    assert torch.equal(extractor(digits.validation), extractor(digits.validation.float() * (2 / 255) - 1))


@pytest.mark.parametrize("resolution", [8, 9, 16, 28, 33, 64])
def test_any_resolution(resolution: int, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        f"import torch\ndef make(resolution): return torch.rand(120, 3, {resolution}, {resolution})\n"
    )
    data = load(DataSpec(name=f"{tmp_path}/mine.py:make"), None, tmp_path)
    for features in ("random", "self_supervised"):
        assert open_extractor(data, tmp_path, features=features)(data.validation).shape == (24, 4)

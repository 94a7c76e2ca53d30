import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.data import mixtures
from pipeline.data.batches import to_float
from pipeline.errors import InputError
from pipeline.metrics.evaluator import Asked, Evaluator, prepare
from pipeline.schema.metrics import On
from pipeline.schema.trial import DataSpec

DIGITS, RING = DataSpec(name="digits"), DataSpec(name="ring8")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(cache: Path) -> Evaluator:
    return Evaluator.open(DIGITS, Asked(), cache, None, "cpu")


@pytest.fixture(scope="module")
def ring(cache: Path) -> Evaluator:
    return Evaluator.open(RING, Asked(), cache, None, "cpu")


def reals(evaluator: Evaluator) -> Tensor:
    return to_float(evaluator.dataset.train[: evaluator.samples])


def test_the_summary_is_json_and_says_what_was_prepared(cache: Path) -> None:
    found = prepare(DIGITS, Asked(), cache, None)
    assert json.loads(json.dumps(found)) == found
    sizes = {"train": 1077, "validation": 360, "test": 360}
    kinds = {"name": "digits", "kind": "image", "classes": 10, "channels": 1, "resolution": 8, "mixture": False}
    said = {"notes": [], "class_names": [], "read": found["data"]["read"]}
    assert said["read"].startswith("digits: 1,797 images, grey, 8 x 8; classes 0 178, 1 182, ")
    assert {key: value for key, value in found["data"].items() if key != "fingerprint"} == kinds | sizes | said
    assert found["samples"] == 360
    assert found["floor"].keys() == found["floor_spread"].keys() == {"fid"}
    assert found["floor"]["fid"] > 0
    assert 0 < found["floor_spread"]["fid"] < found["floor"]["fid"]


def test_the_floor_is_what_training_images_score(cache: Path, digits: Evaluator) -> None:
    found = prepare(DIGITS, Asked(), cache, None)
    draws = [torch.randperm(1077, generator=torch.Generator().manual_seed(s))[:360] for s in range(15)]
    scores = [digits.evaluate(to_float(digits.dataset.train[draw]))[0]["fid"] for draw in draws]
    assert statistics.median(scores) == pytest.approx(found["floor"]["fid"], abs=2 * found["floor_spread"]["fid"])


def test_fewer_samples_have_a_floor_of_their_own(cache: Path) -> None:
    few, many = prepare(DIGITS, Asked(100), cache, None), prepare(DIGITS, Asked(360), cache, None)
    assert few["features"] == many["features"]
    assert few["floor"]["fid"] > 1.5 * many["floor"]["fid"]


def test_metrics_and_signals_have_their_names(digits: Evaluator, ring: Evaluator) -> None:
    for evaluator, kind in ((digits, "image"), (ring, "points")):
        metrics, signals, errors = evaluator.evaluate(reals(evaluator))
        assert metrics.keys() == set(On("x", kind, kind == "points", True).metrics())
        shared = {"finite", "diversity_ratio", "sample_variance_ratio"}
        of_images = {"coverage", "recall", "worst_class_coverage", "memorised_share"}
        assert signals.keys() == shared | (of_images if kind == "image" else {"modes_share"})
        assert errors.keys() == {"fid" if kind == "image" else "sliced_wasserstein"}
        assert all(type(value) is float for value in (metrics | signals).values())


@pytest.mark.parametrize("part", ["validation", "test"])
def test_real_digits_look_real(digits: Evaluator, part: str) -> None:
    metrics, signals, _ = digits.evaluate(reals(digits), part)
    assert min(metrics["precision"], metrics["recall"], metrics["coverage"]) > 0.8
    assert signals["diversity_ratio"] == pytest.approx(1, abs=0.1)
    assert signals["sample_variance_ratio"] == pytest.approx(1, abs=0.1)


def test_parts_are_compared_with_their_own_images(digits: Evaluator) -> None:
    for part, other in (("validation", "test"), ("test", "validation")):
        images = to_float(digits.dataset.part(part))
        assert digits.evaluate(images, part)[0]["fid"] == pytest.approx(0, abs=1e-3)
        assert digits.evaluate(images, other)[0]["fid"] > 1


def noise(images: Tensor) -> Tensor:
    return torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def blurred(images: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(images, 3, 1, 1)


def two_digits(images: Tensor) -> Tensor:
    return images[:2].repeat(len(images) // 2, 1, 1, 1)


@pytest.mark.parametrize("spoil", [noise, blurred, two_digits])
def test_spoilt_digits_are_far_above_the_floor(spoil, digits: Evaluator, cache: Path) -> None:
    metrics, _, _ = digits.evaluate(spoil(reals(digits)))
    assert metrics["fid"] > 3 * prepare(DIGITS, Asked(), cache, None)["floor"]["fid"]
    assert metrics["coverage"] < 0.5


def test_collapse_shows_in_the_signals(digits: Evaluator, ring: Evaluator) -> None:
    _, signals, _ = digits.evaluate(reals(digits)[:1].expand(360, 1, 8, 8))
    assert max(signals["diversity_ratio"], signals["sample_variance_ratio"], signals["coverage"]) < 0.05
    one_mode = mixtures.means("ring8")[:1] + 0.01 * torch.randn(2500, 2, generator=torch.Generator().manual_seed(0))
    metrics, signals, _ = ring.evaluate(one_mode)
    assert signals["modes_share"] == 1 / 8
    assert signals["diversity_ratio"] < 0.05
    assert metrics["reverse_kl"] == pytest.approx(math.log(8))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_sample_that_is_not_finite_is_said_and_nothing_else(bad: float, digits: Evaluator, ring: Evaluator) -> None:
    for evaluator in (digits, ring):
        fakes = reals(evaluator).clone()
        fakes[3, -1] = bad
        assert evaluator.evaluate(fakes) == ({}, {"finite": 0.0}, {})


def test_points_far_out_are_finite_numbers(ring: Evaluator) -> None:
    metrics, signals, _ = ring.evaluate(torch.full((2500, 2), 1e30))
    assert all(map(math.isfinite, (metrics | signals).values()))


def test_the_ring_has_both_kinds_of_floor(cache: Path) -> None:
    found = prepare(RING, Asked(), cache, None)
    assert found["features"] == "points"
    assert found["floor"].keys() == {"sliced_wasserstein"}
    assert found["noise_floor"] == {"reverse_kl": pytest.approx(7 / 5000)}


def test_points_of_ones_own_have_no_modes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\ndef make(resolution): return torch.arange(1000.0).view(500, 2)\n")
    spec = DataSpec(name=f"{tmp_path}/mine.py:make")
    evaluator = Evaluator.open(spec, Asked(), tmp_path, None, "cpu")
    metrics, signals, _ = evaluator.evaluate(reals(evaluator))
    assert metrics.keys() == {"sliced_wasserstein"}
    assert "modes_share" not in signals
    assert prepare(spec, Asked(), tmp_path, None)["noise_floor"] == {}


def test_more_samples_than_there_are_to_compare_with(cache: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation.samples: found 500; digits has 360 .* valid: at most 360"):
        prepare(DIGITS, Asked(500), cache, None)


def test_data_without_variety_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\ndef make(resolution): return torch.zeros(500, 2)\n")
    with pytest.raises(InputError, match="samples are all the same"):
        prepare(DataSpec(name=f"{tmp_path}/mine.py:make"), Asked(), tmp_path, None)


def test_another_number_of_samples_is_an_error(digits: Evaluator) -> None:
    with pytest.raises(ValueError, match="found 359 samples; this evaluator compares 360"):
        digits.evaluate(reals(digits)[1:])


def test_training_images_over_again_are_found_and_held_out_ones_are_not(digits: Evaluator) -> None:
    copies = to_float(digits.dataset.train[torch.arange(360) % 200])
    held_out = to_float(digits.dataset.test[:360])
    copied, new = digits.evaluate(copies), digits.evaluate(held_out)
    assert copied.signals["memorised_share"] > 0.4
    assert abs(new.signals["memorised_share"]) < 0.15
    assert copied.metrics["authenticity"] == 0.0
    near = digits.nearest(copies[:5])
    assert near is not None
    assert torch.equal(near, copies[:5])


def test_collapsed_classes_are_seen(digits: Evaluator) -> None:
    real, labels = to_float(digits.dataset.train[:360]), digits.dataset.train_labels[:360]  # type: ignore[index]
    collapsed = real.clone()
    for each in (0, 1, 2):
        collapsed[labels == each] = real[labels == each][:1].clone()
    well, sick = digits.evaluate(real), digits.evaluate(collapsed)
    assert sick.signals["worst_class_coverage"] < 0.2 < 0.7 < well.signals["worst_class_coverage"]
    assert sick.metrics["coverage"] > 0.6  # the average hides it
    assert sick.metrics["class_fid"] > 2 * well.metrics["class_fid"]


@pytest.mark.slow
def test_the_same_samples_score_the_same_in_another_process(digits: Evaluator, cache: Path) -> None:
    script = """
import json, sys
from pathlib import Path
from pipeline.data.batches import to_float
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.schema.trial import DataSpec
evaluator = Evaluator.open(DataSpec(name="digits"), Asked(), Path(sys.argv[1]), None, "cpu")
metrics, signals, errors = evaluator.evaluate(to_float(evaluator.dataset.train[:360]))
print(json.dumps([evaluator.features, metrics, signals, errors]))
"""
    done = subprocess.run([sys.executable, "-c", script, str(cache)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [digits.features, *digits.evaluate(reals(digits))]


@pytest.mark.slow
def test_real_fashion_mnist(data_root: Path, tmp_path: Path) -> None:
    spec = DataSpec(name="fashion_mnist")
    found = prepare(spec, Asked(), tmp_path, data_root)
    evaluator = Evaluator.open(spec, Asked(), tmp_path, data_root, "cpu")
    assert found["samples"] == 2000
    metrics, _, _ = evaluator.evaluate(reals(evaluator))
    assert metrics["fid"] == pytest.approx(found["floor"]["fid"], abs=4 * found["floor_spread"]["fid"])
    assert evaluator.evaluate(blurred(reals(evaluator)))[0]["fid"] > 3 * found["floor"]["fid"]

"""Features of the user's own: an nn.Module, what makes one, or a function of images; and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.errors import InputError
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.metrics.extractor import Extractor
from pipeline.metrics.features import open_extractor
from pipeline.plugin import fingerprints, sources
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, TrialSpec
from pipeline.space.load import load as load_space

OWN = """
import torch
from torch import nn
class Network(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.LazyLinear(width))
        self.layers(torch.zeros(2, 1, 8, 8))
    def forward(self, images): return self.layers(images)
there = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
def made(): return Network(7)
def rows(images): return images.mean(3).flatten(1)
number = 3
def fails(images): raise KeyError("no such layer")
def flat(images): return images
def drawn(images): return torch.rand(len(images), 4)
def infinite(images): return images.flatten(1) / 0
def makes_a_number(): return 3
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(DataSpec(name="digits"), None, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_features.py"
    path.write_text(OWN)
    return path


def opened(digits: Dataset, file: Path, name: str) -> Extractor:
    return open_extractor(digits, file.parent, features=f"{file}:{name}")


@pytest.mark.parametrize(("name", "width"), [("Network", 6), ("made", 7), ("rows", 8)])
def test_each_form_is_measured_in_and_is_the_same_each_time(digits: Dataset, file: Path, name: str, width: int) -> None:
    before = torch.get_rng_state()
    evaluator = Evaluator.of(digits, Asked(100, features=f"{file}:{name}"), file.parent, "cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert evaluator.features.startswith(f"digits-my_features_{name}{width}-")
    torch.manual_seed(99)
    extractor = opened(digits, file, name)
    assert extractor.name == evaluator.features
    assert extractor(digits.validation).shape == (360, width)
    real = to_float(digits.validation[:100])
    assert evaluator.evaluate(-real)[0]["fid"] > evaluator.evaluate(real)[0]["fid"]


def test_a_network_in_the_file_is_taken_as_it_is(digits: Dataset, file: Path) -> None:
    (layer,) = [each for each in opened(digits, file, "there").network.modules() if isinstance(each, torch.nn.Linear)]
    flat = to_float(digits.validation).flatten(1)
    torch.testing.assert_close(opened(digits, file, "there")(digits.validation), flat @ layer.weight.T + layer.bias)


def test_other_text_is_other_features_and_goes_with_the_sweep(digits: Dataset, file: Path) -> None:
    """The file is among those whose fingerprints a resume looks at."""
    space = file.parent / "x.yaml"
    space.write_text(
        f"data: {{name: digits}}\nobjective: fid\nbudget: {{images: 1000}}\ngenerator: {{network: mlp}}\n"
        f"discriminator: {{network: mlp}}\nevaluation: {{every: 500, features: '{file}:rows'}}\n"
    )
    before, name = fingerprints(sources(load_space(str(space)).tree)), opened(digits, file, "rows").name
    assert before.keys() == {str(file)}
    file.write_text(OWN.replace("mean(3)", "mean(2)"))
    assert fingerprints(sources(load_space(str(space)).tree)) != before
    assert opened(digits, file, "rows").name != name


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("number", "is a int; valid: an nn.Module, or a function that gives one"),
        ("makes_a_number", "is a int; valid: an nn.Module, or a function that gives one"),
        ("fails", "failed: KeyError: 'no such layer' (my_features.py, line 14, in fails)"),
        ("flat", "gave a tensor of (4, 1, 8, 8) for 4 images; valid: a tensor (N, width)"),
        ("drawn", "gave other features for the same images; valid: the same each time"),
        ("infinite", "gave features that are not finite; valid: finite ones"),
    ],
)
def test_what_is_none(digits: Dataset, file: Path, name: str, line: str) -> None:
    with pytest.raises(InputError) as error:
        opened(digits, file, name)
    assert str(error.value) == f'evaluation.features: "{file}:{name}" {line}'


def test_a_file_that_does_not_load_and_one_without_it(digits: Dataset, file: Path) -> None:
    with pytest.raises(InputError, match=r'^evaluation.features: ".*:nothing": my_features.py has no "nothing"'):
        opened(digits, file, "nothing")
    file.write_text("import nothing_of_this_name\n")
    with pytest.raises(InputError, match=r"^evaluation.features: .* does not import: ModuleNotFoundError: ") as error:
        opened(digits, file, "rows")
    assert "\n" not in str(error.value)


BASE = {
    "data": {"name": "digits"},
    "budget": {"images": 1000},
    "generator": {"network": "mlp"},
    "discriminator": {"network": "mlp"},
}


@pytest.mark.parametrize(
    ("data", "features", "line"),
    [
        ("digits", "inceptoin", 'features: found "inceptoin", did you mean "inception"? (valid: auto, classifier, '),
        (
            "ring8",
            "inception",
            "features: found inception; ring8 is points, which are compared as they are, val",
        ),
        ("stacked_mnist", "inception", "features: found inception; the modes of stacked_mnist are told by its class"),
    ],
)
def test_names_that_are_refused_before_anything_is_opened(data: str, features: str, line: str) -> None:
    with pytest.raises(InputError) as error:
        parse(TrialSpec, BASE | {"data": {"name": data}, "evaluation": {"every": 500, "features": features}}, "x")
    assert str(error.value).removeprefix("x: ").startswith(f"evaluation.{line}")
    assert "\n" not in str(error.value)


def test_labels_that_are_needed_and_not_there(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import torch\ndef make(resolution): return torch.rand(200, 1, 8, 8)\n")
    (tmp_path / "points.py").write_text("import torch\ndef make(resolution): return torch.rand(200, 2)\n")
    with pytest.raises(InputError) as error:
        Evaluator.open(
            DataSpec(name=f"{tmp_path}/mine.py:make"), Asked(32, features="classifier"), tmp_path, None, "cpu"
        )
    line = (
        "evaluation.features: found classifier; mine.py:make has no labels, valid: auto, self_supervised, inception, "
    )
    assert str(error.value).startswith(line)
    with pytest.raises(InputError, match=r"found random; points.py:make is points, which are compared as they are"):
        Evaluator.open(DataSpec(name=f"{tmp_path}/points.py:make"), Asked(32, features="random"), tmp_path, None, "cpu")

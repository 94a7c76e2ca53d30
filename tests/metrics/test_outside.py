"""Inception and DINOv2 from files on this machine, here of random weights: where they lie, and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.cli.doctor import check_features
from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.errors import InputError
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.metrics.features import open_extractor
from pipeline.schema.features import hub
from pipeline.schema.trial import DataSpec

WEIGHTS = "checkpoints/weights-inception-2015-12-05-6726825d.pth"
HUBCONF = """
import torch
from torch import nn
dependencies = ["torch"]
class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 16, 14, 14)
    def forward(self, images):
        assert images.shape[1:] == (3, 224, 224)
        return self.layer(images).square().mean((2, 3))
def dinov2_vits14(*, pretrained=True):
    assert not pretrained  # it would be downloaded
    return Small()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch.hub's folder of a machine that has nothing in it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub"
    (folder / "checkpoints").mkdir(parents=True)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    (tmp_path / "mine.py").write_text(
        "import torch\ndef make(resolution):\n"
        "    return torch.rand(160, 1, 8, 8, generator=torch.Generator().manual_seed(0))\n"
    )
    return load(DataSpec(name=f"{tmp_path}/mine.py:make"), None, tmp_path)


def said_by_doctor(name: str) -> tuple[str, str]:
    (found,) = (each for each in check_features() if each.subject == name)
    return found.state, found.said


def test_the_folder_is_the_one_that_torch_looks_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub() == Path(torch.hub.get_dir()) == home
    monkeypatch.delenv("TORCH_HOME")
    assert hub() == Path(torch.hub.get_dir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    assert hub() == Path(torch.hub.get_dir()) == home / "torch" / "hub"


def test_a_file_that_is_not_there_is_one_line_that_says_where_it_goes(
    data: Dataset, home: Path, tmp_path: Path
) -> None:
    places = {"inception": [WEIGHTS], "dinov2": ["facebookresearch_dinov2_main", "checkpoints/dinov2_vits14_pretrain"]}
    for name, files in places.items():
        with pytest.raises(InputError) as error:
            open_extractor(data, tmp_path, features=name)
        line = str(error.value)
        assert line.startswith(f"evaluation.features: found {name}, which this machine lacks something for: ")
        assert "\n" not in line
        state, said = said_by_doctor(name)
        assert state == "note"
        assert all(f"put at {home / file}" in text for file in files for text in (line, said))
        assert "https://" in said


@pytest.mark.slow
def test_a_real_evaluation_in_inception(data: Dataset, home: Path, tmp_path: Path) -> None:
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", reason="wants torch-fidelity")

    class Drawn(fidelity.FeatureExtractorInceptionV3):  # type: ignore[misc, name-defined]
        """The network as it begins; its constructor loads weights in any case."""

        def load_state_dict(self, *arguments: object, **named: object) -> None:
            pass

    torch.save({}, tmp_path / "none.pth")
    torch.manual_seed(0)
    weights = Drawn("drawn", ["64"], str(tmp_path / "none.pth")).state_dict()
    for name, value in weights.items():
        if name.endswith("conv.weight"):
            value.mul_(6**0.5)  # as large as what comes in (He et al. 2015): else nothing reaches the features
    torch.save(weights, home / WEIGHTS)
    assert said_by_doctor("inception") == ("ok", f"in {home}, for evaluation.features: inception")
    evaluator = Evaluator.of(data, Asked(32, features="inception"), tmp_path, "cpu")
    assert evaluator.features.startswith("make-inception2048-")
    real = to_float(data.validation)
    same, other = evaluator.evaluate(real).metrics, evaluator.evaluate(real / 4).metrics
    assert abs(same["fid"]) < 1e-3 * other["fid"]
    torch.save({"one": torch.zeros(1)}, home / WEIGHTS)
    with pytest.raises(InputError, match=r"6726825d.pth is not of this network \("):
        open_extractor(data, tmp_path, features="inception")


def dinov2(home: Path) -> None:
    """A hub of one network, with a file of its weights."""
    folder = home / "facebookresearch_dinov2_main"
    folder.mkdir()
    (folder / "hubconf.py").write_text(HUBCONF)
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3, 16, 14, 14)
    weights = {f"layer.{name}": value for name, value in layer.state_dict().items()}
    torch.save(weights, home / "checkpoints" / "dinov2_vits14_pretrain.pth")


def test_a_real_evaluation_in_dinov2(data: Dataset, home: Path, tmp_path: Path) -> None:
    dinov2(home)
    assert said_by_doctor("dinov2")[0] == "ok"
    before = torch.get_rng_state()
    evaluator = Evaluator.of(data, Asked(32, features="dinov2"), tmp_path, "cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert evaluator.features.startswith("make-dinov2s16-")
    real = to_float(data.validation)
    assert evaluator.evaluate(real)[0]["fid"] == pytest.approx(0, abs=1e-3)
    assert evaluator.evaluate(real * 0.5)[0]["fid"] > 1e-2
    extractor = open_extractor(data, tmp_path, features="dinov2")
    assert extractor.name == evaluator.features
    weights = torch.load(home / "checkpoints" / "dinov2_vits14_pretrain.pth")
    bright = extractor(torch.ones(1, 1, 8, 8))  # white in ImageNet's units, through the file's weights
    white = ((1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])).view(1, 3, 1, 1)
    patch = torch.nn.functional.conv2d(white.expand(1, 3, 14, 14), weights["layer.weight"], weights["layer.bias"])
    torch.testing.assert_close(bright, patch.square().mean((2, 3)), rtol=1e-3, atol=1e-4)


def test_weights_that_do_not_load(data: Dataset, home: Path, tmp_path: Path) -> None:
    dinov2(home)
    file = home / "checkpoints" / "dinov2_vits14_pretrain.pth"
    torch.save({"other": torch.zeros(1)}, file)
    with pytest.raises(InputError, match=r"^evaluation.features: dinov2 of .* does not load: RuntimeError: ") as error:
        open_extractor(data, tmp_path, features="dinov2")
    assert "\n" not in str(error.value)
    file.write_bytes(b"torn")
    with pytest.raises(InputError, match=r"pretrain.pth does not load \(.*\); valid: a state dict") as error:
        open_extractor(data, tmp_path, features="dinov2")
    assert "\n" not in str(error.value)

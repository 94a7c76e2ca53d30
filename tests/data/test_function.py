from pathlib import Path

import pytest
import torch

from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.schema.trial import DataSpec


def load_from(tmp_path: Path, source: str, name: str = "make", resolution: int | None = None):
    file = tmp_path / "mine.py"
    file.write_text("import torch\n" + source)
    return load(DataSpec(name=f"{file}:{name}", resolution=resolution), None, tmp_path / "cache")


def test_uint8_images_with_labels(tmp_path: Path) -> None:
    data = load_from(
        tmp_path,
        "def make(resolution):\n"
        "    labels = torch.arange(200) % 4\n"
        "    return (labels * 60).to(torch.uint8).view(-1, 1, 1, 1).expand(200, 3, 8, 8), labels\n",
    )
    assert (data.kind, data.channels, data.resolution, data.classes) == ("image", 3, 8, 4)
    assert data.train_labels is not None
    assert torch.equal(data.train[:, 0, 0, 0].long(), data.train_labels * 60)


def test_float_images_come_as_uint8_at_the_asked_resolution(tmp_path: Path) -> None:
    data = load_from(
        tmp_path,
        "def make(resolution): return torch.linspace(-1, 1, 200).view(-1, 1, 1, 1).expand(200, 1, 8, 8)",
        "make",
        16,
    )
    assert data.train.shape == (120, 1, 16, 16)
    every = torch.cat([data.train, data.validation, data.test])
    assert (int(every.min()), int(every.max())) == (0, 255)


def test_a_table_of_any_width(tmp_path: Path) -> None:
    data = load_from(tmp_path, "def make(resolution): return torch.arange(4000.0).view(500, 8), torch.arange(500) % 3")
    assert (data.kind, data.train.shape[1], data.means, data.classes) == ("points", 8, None, 3)


def test_points(tmp_path: Path) -> None:
    data = load_from(tmp_path, "def make(resolution): return torch.arange(400.0).view(200, 2)")
    assert (data.kind, data.resolution, data.means, data.classes) == ("points", None, None, 0)
    rows = data.own_units(torch.cat([data.train, data.validation, data.test]))[:, 0].tolist()
    assert sorted(rows) == pytest.approx(range(0, 400, 2), abs=1e-4)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def make(resolution): return torch.full((200, 1, 8, 8), 3.0)", r"found float images in \[3, 3\]"),
        ("def make(resolution): return torch.full((200, 2), float('nan'))", "not finite"),
        ("def make(resolution): return torch.zeros(200, 8, 8)", r"float32 tensor of shape \(200, 8, 8\)"),
        (
            "import numpy\ndef make(resolution): return numpy.zeros((200, 1, 8, 8), 'uint16')",
            "returned a uint16 tensor",
        ),
        ("def make(resolution): return torch.zeros(200, 1, 8, 8, dtype=torch.cfloat)", "returned a complex64 tensor"),
        ("def make(resolution): return 'images'", "returned a str"),
        ("def make(resolution): return torch.zeros(200, 2), torch.zeros(3)", r"labels of shape \(3,\)"),
        ("def make(resolution): return torch.zeros(20, 2)", "found 20 samples"),
        ("def make(resolution): raise OSError('no disk')", "failed: OSError: no disk"),
        ("make = 3", "found a int; valid: a function"),
    ],
)
def test_what_is_not_data_is_said_in_one_line(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as raised:
        load_from(tmp_path, source)
    assert "\n" not in str(raised.value)
    assert "mine.py:make" in str(raised.value)

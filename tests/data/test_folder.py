from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import folder
from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.spec.trial import DataSpec


def write(path: Path, colour: tuple[int, ...], mode: str = "RGB", size: tuple[int, int] = (16, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour if len(colour) > 1 else colour[0]).save(path)


def spec(path: Path, resolution: int = 8) -> DataSpec:
    return DataSpec(name=f"imagefolder:{path}", resolution=resolution)


def test_class_subfolders_give_labels(tmp_path: Path) -> None:
    for i in range(60):
        write(tmp_path / "images" / "cats" / f"{i}.png", (250, 0, i))
        write(tmp_path / "images" / "dogs" / f"{i}.png", (0, 250, i))
    data = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert (data.classes, data.channels, data.resolution) == (2, 3, 8)
    assert data.train_labels is not None
    assert torch.equal(data.train_labels == 0, data.train[:, 0, 0, 0] == 250)
    assert [len(data.train), len(data.validation), len(data.test)] == [72, 24, 24]


def test_a_flat_folder_has_no_labels_and_grey_stays_grey(tmp_path: Path) -> None:
    for i in range(120):
        write(tmp_path / "images" / f"{i}.png", (i,), "L")
    data = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert (data.train_labels, data.classes, data.channels) == (None, 0, 1)


def test_transparency_is_composited_on_white(tmp_path: Path) -> None:
    write(tmp_path / "hidden.png", (255, 0, 0, 0), "RGBA")
    write(tmp_path / "half.png", (0, 0, 0, 128), "RGBA")
    images = folder.read(tmp_path, 8).images
    assert images[:, :, 4, 4].tolist() == [[127, 127, 127], [255, 255, 255]]


def test_the_short_side_is_resized_and_the_centre_cropped(tmp_path: Path) -> None:
    pixels = np.zeros((32, 96, 3), np.uint8)
    pixels[:, 32:64] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    images = folder.read(tmp_path, 8).images
    assert images.shape == (1, 3, 8, 8)
    assert int(images[:, :, :, 1:7].min()) == 255


def test_resizing_has_antialias(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, ::2] = 255  # without antialias: all black or all white
    Image.fromarray(pixels).save(tmp_path / "stripes.png")
    images = folder.read(tmp_path, 8).images
    assert 120 <= int(images.min()) <= int(images.max()) <= 135


def test_a_changed_folder_is_read_anew(tmp_path: Path) -> None:
    for i in range(120):
        write(tmp_path / "images" / f"{i}.png", (i,), "L")
    first = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    write(tmp_path / "images" / "120.png", (255,), "L")
    second = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert second.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no such folder"),
        (lambda path: path.mkdir(), "found no images"),
        (lambda path: path.write_text("x"), "not a folder"),
        (lambda path: (path.mkdir(), (path / "notes.txt").write_text("x")), "found no images"),
        (
            lambda path: (write(path / "a.png", (1, 2, 3)), write(path / "b" / "c.png", (1, 2, 3))),
            "both images and sub",
        ),
        (lambda path: write(path / "a.png", (1, 2, 3)), "found 1 samples; valid: at least 100"),
    ],
)
def test_a_folder_that_cannot_be_used_is_said_in_one_line(make, message: str, tmp_path: Path) -> None:
    make(tmp_path / "images")
    with pytest.raises(InputError, match=message) as raised:
        load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert "\n" not in str(raised.value)
    assert str(tmp_path / "images") in str(raised.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "images" / "good.png", (1, 2, 3))
    (tmp_path / "images" / "torn.png").write_bytes((tmp_path / "images" / "good.png").read_bytes()[:40])
    (tmp_path / "images" / "z.png").write_text("not an image")
    with pytest.raises(InputError, match=r"cannot read 2 of 3 files: torn.png \(.*\), z.png"):
        load(spec(tmp_path / "images"), None, tmp_path / "cache")


def test_real_emoji_have_white_corners(data_root: Path, tmp_path: Path) -> None:
    data = load(spec(data_root / "emoji_domains" / "images", 32), None, tmp_path)
    assert len(data.train) + len(data.validation) + len(data.test) == 2 * 1674
    assert data.classes == 2
    assert float((data.train[:, :, 0, 0] == 255).all(1).float().mean()) > 0.9

"""A folder of images enlarged by a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data.batches import to_float, to_uint8
from pipeline.errors import InputError
from pipeline.sampling.enlarging import enlarge
from pipeline.sampling.exporting import export
from pipeline.sampling.generating import Wanted, generate
from pipeline.sampling.trained import trained
from pipeline.sampling.translating import Translation, translate
from tests.sampling.test_generating import checkpoint


def enlarger(path: Path) -> Path:
    changes: dict[str, Any] = {
        "data": {"name": "digits", "low": {"factor": 2}},
        "game": {"name": "super_resolution"},
        "latent": {"size": 64},
        "generator": {"network": "srresnet", "width": 4, "blocks": 1},
        "discriminator": {"network": "dcgan", "width": 4},
    }
    return checkpoint(path, False, **changes)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two of different sizes."""
    random = np.random.default_rng(0)
    for name, shape in (("one/x.png", (20, 24)), ("y.bmp", (7, 5))):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "y.bmp").rename(tmp_path / "in" / "one" / "y.bmp")
    return tmp_path / "in"


def test_each_image_is_enlarged_as_it_is_under_its_own_name(tmp_path: Path, images: Path) -> None:
    path = enlarger(tmp_path / "run")
    said = enlarge(path, images, tmp_path / "out")
    assert said.startswith(f"2 images of {images} enlarged 2 times by {path.name}")
    generator = trained(path).game.generator.eval()
    for name in ("one/x.png", "one/y.bmp"):
        with Image.open(images / name) as picture:
            given = torch.from_numpy(np.array(picture))[None, None]
        with torch.no_grad():
            expected = to_uint8(generator(to_float(given)))[0, 0]
        with Image.open((tmp_path / "out" / name).with_suffix(".png")) as picture:
            assert picture.size == (2 * given.shape[3], 2 * given.shape[2])
            assert np.array_equal(np.asarray(picture), expected.numpy())
            assert "generative adversarial network" in picture.info["Synthetic"]


def test_what_cannot_be_enlarged(tmp_path: Path, images: Path) -> None:
    path, out = enlarger(tmp_path / "run"), tmp_path / "out"
    with pytest.raises(InputError, match=r"--enlarge: .* is of the game adversarial; valid: one of super_resolution"):
        enlarge(checkpoint(tmp_path / "digits", False), images, out)
    with pytest.raises(InputError, match=r"--translate: .* is of the game super_resolution; valid: one of translation"):
        translate(path, Translation(images, "b", out))
    with pytest.raises(InputError, match="the folder that is read"):
        enlarge(path, images, images)
    with pytest.raises(InputError, match=r"super_resolution makes samples of images; valid: --enlarge FOLDER"):
        generate(path, Wanted(), 0, tmp_path / "x.png")
    with pytest.raises(InputError, match="only samples of latents and labels"):
        export(path, tmp_path / "exported")
    Image.new("L", (3, 9)).save(images / "one" / "z.png")
    with pytest.raises(InputError, match=r"z.png is 3 x 9; valid: 4 pixels or more a side"):
        enlarge(path, images, out)
    Image.new("L", (2000, 600)).save(images / "one" / "z.png")
    with pytest.raises(InputError, match=r"z.png is 2000 x 600, 2 times that are 4,800,000 pixels; valid: at most"):
        enlarge(path, images, out)
    Image.new("RGB", (16, 16), (255, 0, 0)).save(images / "one" / "z.png")
    with pytest.raises(InputError, match="has images in colour, and the checkpoint's are grey"):
        enlarge(path, images, out)
    assert not out.exists()

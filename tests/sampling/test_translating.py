"""A folder of images translated by a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import folder
from pipeline.data.batches import to_float, to_uint8
from pipeline.errors import InputError
from pipeline.sampling.exporting import export
from pipeline.sampling.generating import Wanted, generate
from pipeline.sampling.trained import trained
from pipeline.sampling.translating import Translation, translate
from tests.conformance.test_training import data
from tests.sampling.test_generating import checkpoint

NETWORK = {"network": "cyclegan", "width": 4}


def translator(path: Path, **game: Any) -> Path:
    changes = {"data": {"name": "digit_styles"}, "game": {"name": "translation", **game}, "latent": {"size": 64}}
    sides = {"generator": NETWORK | {"blocks": 1}, "discriminator": NETWORK}
    return checkpoint(path, False, data("digit_styles"), **changes, **sides, batch_size=4)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two whose names differ in their endings alone, and one in a subfolder of its own."""
    random = np.random.default_rng(0)
    for name in ("one/x.png", "one/x.bmp", "two/y.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 24), dtype=np.uint8)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def test_each_image_is_translated_under_its_own_name(tmp_path: Path, images: Path) -> None:
    path = translator(tmp_path / "run")
    said = translate(path, Translation(images, "b", tmp_path / "out"))
    assert said.startswith(f"3 images of {images} from a to b by {path.name}")
    found = sorted(str(each.relative_to(tmp_path / "out")) for each in (tmp_path / "out").rglob("*.*"))
    assert found == ["one/x.bmp.png", "one/x.png.png", "two/y.png"]
    generator = trained(path).game.generator.eval()
    with torch.no_grad():
        expected = to_uint8(generator("to_b", to_float(folder.read(images / "two", 16).images)))[0, 0]
    with Image.open(tmp_path / "out" / "two" / "y.png") as picture:
        assert np.array_equal(np.asarray(picture), expected.numpy())
        assert "generative adversarial network" in picture.info["Synthetic"]


def test_the_other_way_is_another_network(tmp_path: Path, images: Path) -> None:
    path = translator(tmp_path / "run")
    made = []
    for domain in "ab":
        translate(path, Translation(images, domain, tmp_path / domain))
        with Image.open(tmp_path / domain / "two" / "y.png") as picture:
            made.append(np.asarray(picture))
    assert not np.array_equal(*made)


def test_what_cannot_be_translated(tmp_path: Path, images: Path) -> None:
    path, one_way = translator(tmp_path / "run"), translator(tmp_path / "one", directions="a_to_b")
    out = tmp_path / "out"
    with pytest.raises(InputError, match="--to: missing; valid of this checkpoint: a, b"):
        translate(path, Translation(images, None, out))
    with pytest.raises(InputError, match="--to: found a; valid of this checkpoint: b"):
        translate(one_way, Translation(images, "a", out))
    with pytest.raises(InputError, match="the folder that is read"):
        translate(path, Translation(images, "b", images))
    with pytest.raises(InputError, match="there is no such folder"):
        translate(path, Translation(tmp_path / "gone", "b", out))
    with pytest.raises(InputError, match="is of the game adversarial; valid: one of translation"):
        translate(checkpoint(tmp_path / "digits", False), Translation(images, "b", out))
    Image.new("RGB", (16, 16), (255, 0, 0)).save(images / "two" / "z.png")
    with pytest.raises(InputError, match="has images in colour, and the checkpoint's are grey"):
        translate(path, Translation(images, "b", out))
    assert not out.exists()


def test_a_translation_has_no_samples_of_latents(tmp_path: Path) -> None:
    path = translator(tmp_path / "run")
    with pytest.raises(InputError, match="translation makes to_a, to_b of images; valid: --translate FOLDER --to b"):
        generate(path, Wanted(), 0, tmp_path / "x.png")
    with pytest.raises(InputError, match="translation: makes to_a, to_b; only samples of latents and labels"):
        export(path, tmp_path / "exported")

"""A strip of pixels is as long, after its width is resized, as it is times the resolution: refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pipeline.data.folder import read
from pipeline.errors import InputError


@pytest.mark.parametrize("size", [(8_000_000, 1), (1, 3_000_000), (500_000, 2), (60_000, 1)])
def test_a_strip_is_refused_by_name(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size).save(tmp_path / "strip.png")
    with pytest.raises(InputError, match=r"strip\.png \([\d,]+ x [\d,]+ pixels are too long a strip") as error:
        read(tmp_path, 64)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [(4000, 1), (1, 4000), (6000, 30)])
def test_long_pictures_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size).save(tmp_path / "long.png")
    assert read(tmp_path, 64).images.shape == (1, 1, 64, 64)

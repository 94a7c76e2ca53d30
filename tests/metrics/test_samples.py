from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import mixtures
from pipeline.metrics.samples import Behind, save_grid


def test_images_lie_in_rows_and_are_scaled_by_a_whole_factor(tmp_path: Path) -> None:
    values = torch.linspace(-1, 1, 6).view(6, 1, 1, 1).expand(6, 1, 8, 8)
    save_grid(values, tmp_path / "deep" / "grid.png", 3)
    picture = np.asarray(Image.open(tmp_path / "deep" / "grid.png"))
    assert picture.shape == (2 * (8 * 16 + 2), 3 * (8 * 16 + 2), 3)
    assert [picture[y, x, 0] for y in (10, 200) for x in (10, 180, 370)] == [0, 51, 102, 153, 204, 255]
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["grid.png"]


def test_colours_and_a_last_row_that_is_not_full(tmp_path: Path) -> None:
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(3, 3, 64, 64)
    save_grid(red, tmp_path / "grid.png", 2)
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    assert picture[5, 5].tolist() == [255, 0, 0]
    assert picture[-5, -5].tolist() == [128, 128, 128]


def test_an_image_that_is_not_finite_is_red_there(tmp_path: Path) -> None:
    images = torch.zeros(4, 1, 8, 8)
    images[0, 0, 0, 0] = torch.nan
    save_grid(images, tmp_path / "grid.png", 2)
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    assert picture[2, 2].tolist() == [255, 0, 0]
    assert picture[40, 40].tolist() == [128, 128, 128]


@pytest.mark.parametrize("columns", [1, 2, 8])
def test_points_of_any_width_over_the_real_ones(columns: int, tmp_path: Path) -> None:
    reals = torch.randn(400, columns, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 100, columns)
    for name, samples in (("near", reals[:200]), ("far", reals[:200] + 1000)):
        save_grid(samples, tmp_path / f"{name}.png", 8, behind=Behind(reals=reals))
    save_grid(reals, tmp_path / "alone.png", 8)
    near, far, alone = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("near", "far", "alone"))
    assert near.shape == far.shape == alone.shape
    assert not np.array_equal(near, far)


def test_points_and_their_means(tmp_path: Path) -> None:
    points = mixtures.draw("ring8", 500, 0)
    points[0] = torch.nan
    save_grid(points, tmp_path / "plain.png", 8)
    save_grid(points, tmp_path / "marked.png", 8, behind=Behind(mixtures.means("ring8")))
    plain, marked = (np.asarray(Image.open(tmp_path / name)) for name in ("plain.png", "marked.png"))
    assert plain.shape == marked.shape
    assert plain.shape[1] >= 384
    assert not np.array_equal(plain, marked)

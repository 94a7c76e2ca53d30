"""Pictures of the latent space, and the marks that every picture has."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pipeline.errors import InputError
from pipeline.games.game import Facts
from pipeline.games.networks import build_generator
from pipeline.metrics import samples as pictures
from pipeline.sampling.exploring import explored, factorised
from pipeline.sampling.generating import generate
from pipeline.sampling.trained import trained
from pipeline.sampling.wanted import Wanted
from tests.games.families import FAMILIES
from tests.sampling.test_generating import checkpoint
from tests.sampling.test_translating import translator

STYLED: dict[str, Any] = {
    "generator": {"network": "stylegan2", "width": 4, "mapping_depth": 2},
    "discriminator": {"network": "stylegan2", "width": 4},
}
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def rows(path: Path, wanted: Wanted) -> Tensor:
    """The picture's samples, (rows, columns, channels, side, side)."""
    picture = explored(trained(path), wanted, None, torch.Generator().manual_seed(0))
    return picture.samples.unflatten(0, (-1, picture.columns))


def distances(row: Tensor, to: Tensor) -> Tensor:
    return (row - to).flatten(1).norm(dim=1)


def test_directions_are_those_of_the_largest_gain() -> None:
    """Shen and Zhou 2021, eq. 4 and 8: the unit vectors that |A n| is largest of, each at a right angle to the rest."""
    a = torch.diag(torch.tensor([1.0, 5.0, 3.0])) @ torch.linalg.qr(torch.randn(3, 3)).Q
    found = factorised(a, 2)
    torch.testing.assert_close((a @ found.T).norm(dim=0), torch.tensor([5.0, 3.0]))
    torch.testing.assert_close(found @ found.T, torch.eye(2))


FAMILIES_WITH_MATRIX = ["mlp", "dcgan", "resnet", "r3gan", "sndcgan", "infogan"]
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((family, {}) for family in FAMILIES_WITH_MATRIX),
    *((family, {"norm": "conditional_batch"}) for family in FAMILIES_WITH_MATRIX if family != "r3gan"),
    *(("resnet", {"norm": norm, "skip_latent": True}) for norm in ("batch", "conditional_batch")),
]


@pytest.mark.parametrize(("family", "options"), OPTIONS, ids=str)
def test_a_family_names_the_matrix_of_its_latents(family: str, options: dict[str, Any]) -> None:
    """A latent moved along what A makes nothing of gives the same image, and along what it makes most of another."""
    spec = FAMILIES[family].generator.model_validate({"network": family, "width": 8} | options)
    classes = 2 if options.get("norm") == "conditional_batch" else 0
    network: Any = build_generator(spec, 9, Facts("image", (1, 8, 8)), 1, classes).eval()
    with torch.no_grad():
        for layer in network.modules():  # the last value of the latent's first four goes nowhere
            weight = getattr(layer, "weight", None)
            if weight is not None and weight.dim() == 2 and weight.shape[1] > 3:
                weight[:, 3].zero_()
        a = network.latent_weights()
        assert a.shape[1] == 9
        without = [at for at in range(9) if not a[:, at].any()]
        assert without
        latents = torch.randn(1, 9 + classes, generator=torch.Generator().manual_seed(0)).repeat(3, 1)
        latents[1, without] += 10
        latents[2, :9] += 10 * factorised(a, 1)[0]
        images = network(latents)
        same, most = (images[1] - images[0]).norm(), (images[2] - images[0]).norm()
        assert float(most) > 0
        assert float(same) < 1e-4 * float(most)


def test_a_strip_moves_one_sample_along_each_direction(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, False, generator={"network": "dcgan", "width": 8, "depth": 1})
    found = rows(path, Wanted(3, 5, explore="directions"))
    assert found.shape == (3, 5, 1, 8, 8)
    torch.testing.assert_close(found[:, 2], found[:1, 2].expand(3, -1, -1, -1))  # the sample itself, in the middle
    for row in found:
        away = distances(row, row[2])
        assert away[0] > away[1] > away[2] < away[3] < away[4]
    small = rows(path, Wanted(3, 5, explore="directions", strength=0.1))
    assert distances(small[0], small[0, 2]).max() < 0.1 * distances(found[0], found[0, 2]).max()


def test_the_first_direction_changes_most_of_what_the_first_layer_makes(tmp_path: Path) -> None:
    game: Any = trained(checkpoint(tmp_path, False, generator={"network": "dcgan", "width": 8, "depth": 1})).game
    gains = (game.generator.latent_weights() @ factorised(game.generator.latent_weights(), 6).T).norm(dim=0)
    assert gains.tolist() == sorted(gains.tolist(), reverse=True)


def test_a_mixing_grid_has_its_sources_beside_it(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, False, **STYLED)
    found = rows(path, Wanted(2, 3, explore="mixing"))
    assert found.shape == (3, 4, 1, 8, 8)
    game: Any = trained(path).game
    network = game.generator.eval()
    with torch.no_grad():
        latents = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
        styles, half = network.styles(latents), network.count // 2
        torch.testing.assert_close(found[1:, 0], network.images(styles[:2]))
        torch.testing.assert_close(found[0, 1:], network.images(styles[2:]))
        one = torch.cat([styles[1:2, :half], styles[4:5, half:]], 1)
        torch.testing.assert_close(found[2, 3], network.images(one)[0])


def test_a_truncation_sweep_goes_from_the_mean_to_the_sample(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, False, **STYLED)
    found = rows(path, Wanted(2, 4, explore="truncation"))
    torch.testing.assert_close(found[0, 0], found[1, 0])
    assert not torch.allclose(found[0, -1], found[1, -1])
    for row in found:
        away = distances(row, row[0])
        assert away.tolist() == sorted(away.tolist())
    half = rows(path, Wanted(2, 4, explore="truncation", truncation=1 / 3))
    torch.testing.assert_close(half[:, -1], found[:, 1])


def test_truncation_of_a_checkpoint_with_styles_is_psi(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, False, **STYLED)

    def made(truncation: float | None) -> np.ndarray[Any, Any]:
        generate(path, Wanted(6, truncation=truncation), 0, tmp_path / "x.npz")
        found: np.ndarray[Any, Any] = np.load(tmp_path / "x.npz")["samples"]
        return found

    assert np.ptp(made(0.0), axis=0).max() < 1e-6
    np.testing.assert_allclose(made(1.0), made(None), atol=1e-6)
    assert made(0.5).std(0).mean() < made(None).std(0).mean()
    generate(path, Wanted(2, 3, truncation=0.7, explore="directions"), 0, tmp_path / "x.png")


def test_a_class_is_explored(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, True, **STYLED)
    made = []
    for label in ("1", "2"):
        generate(path, Wanted(2, 2, label=label, explore="directions"), 0, tmp_path / "x.png")
        made.append(np.asarray(Image.open(tmp_path / "x.png")))
    assert not np.array_equal(*made)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"explore": "walks"}, r'--explore: found "walks", \(valid: directions, mixing, truncation\)'),
        ({"explore": "mixing"}, "generator mlp has no styles, valid: directions, or a checkpoint of stylegan2"),
        ({"explore": "truncation"}, "generator mlp has no styles"),
        ({"count": 7}, r"-n: found 7 with --explore directions; valid: 1 to 6, one each"),
        ({"columns": 1}, "--columns: found 1 with --explore; valid: 2 to 64"),
        ({"path": "linear"}, "--interpolate: found it with --explore"),
        ({"label": "all"}, "--class: found all with --explore; valid: one class"),
        ({"strength": 0.0}, "--strength: found 0.0; valid: above 0, with --explore directions"),
        ({"explore": None, "strength": 1.0}, "--strength: found 1.0; valid: with --explore directions"),
    ],
)
def test_what_is_refused(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    path = checkpoint(tmp_path, True)
    with pytest.raises(InputError, match=line):
        generate(path, replace(Wanted(explore="directions"), **changes), 0, tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


OWN = """
from torch import nn

def flat(latent_size, classes, shape):
    return nn.Sequential(nn.Linear(latent_size, 64), nn.Tanh(), nn.Unflatten(1, shape))
"""


def test_a_generator_without_the_matrix_has_no_directions(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    path = checkpoint(tmp_path, False, generator={"network": f"{tmp_path / 'own.py'}:flat"})
    with pytest.raises(InputError, match=r"own.py:flat has no latent_weights\(\), the matrix that its latents"):
        generate(path, Wanted(explore="directions"), 0, tmp_path / "x.png", trust=True)
    with pytest.raises(InputError, match=r"--truncation: found -1.0; valid: 0 or more"):
        generate(checkpoint(tmp_path / "s", False, **STYLED), Wanted(truncation=-1.0), 0, tmp_path / "x.png")
    with pytest.raises(InputError, match=r"--out: found x.npz with --explore; valid: a name that ends in .png"):
        generate(path, Wanted(explore="directions"), 0, tmp_path / "x.npz", trust=True)
    with pytest.raises(InputError, match="makes to_a, to_b of images"):
        generate(translator(tmp_path / "t"), Wanted(explore="directions"), 0, tmp_path / "x.png")


def test_every_picture_says_in_xmp_that_an_algorithm_made_it(tmp_path: Path) -> None:
    """IPTC's Digital Source Type as a property of XMP, in the PNG's text of that name; whatever writes it."""
    path = checkpoint(tmp_path, False, **STYLED)
    generate(path, Wanted(4), 0, tmp_path / "grid.png")
    generate(path, Wanted(2, 2, explore="directions"), 0, tmp_path / "strip.png")
    pictures.save_image(torch.zeros(3, 8, 8), tmp_path / "image.png")
    pictures.save_grid(torch.randn(9, 2), tmp_path / "points.png", 3)
    for name in ("grid", "strip", "image", "points"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            packet = picture.info["XML:com.adobe.xmp"]
        root = ElementTree.fromstring(packet.replace("\ufeff", ""))
        (described,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
        assert described.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType") == SOURCE_TYPE

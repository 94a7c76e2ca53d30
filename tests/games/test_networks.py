"""The network families: shapes, seeds, and what spectral norm bounds."""

from typing import Any, get_args

import pytest
import torch
from torch import nn

from pipeline.games.game import Facts
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.networks.layers import ACTIVATIONS, Maxout
from pipeline.schema.layers import Activation, Init, Norm, stages
from pipeline.schema.networks import check_network
from tests.games.families import CHOSEN, FAMILIES, FREE

RESOLUTIONS = (8, 12, 16, 28, 32, 64)
NORMS = get_args(Norm)
# By family: the depths that are tried, and the resolutions that it can be built for.
DEPTHS: dict[str, list[int | None]] = {"mlp": [2]} | {family: [None] for family in (*CHOSEN, "infogan")}
SIZES = {family: set(RESOLUTIONS) for family in FAMILIES} | {family: {8, 16, 32, 64} for family in CHOSEN}


def small(family: str, **changes: object) -> Any:
    """A discriminator's spec, which has all that a generator of ours is built by; None is not said."""
    said = {name: value for name, value in changes.items() if value is not None}
    return FAMILIES[family].discriminator.model_validate({"network": family, "width": 4} | said)


def of_generator(family: str, **changes: object) -> Any:
    said = {name: value for name, value in changes.items() if value is not None}
    return FAMILIES[family].generator.model_validate({"network": family, "width": 4} | said)


def allowed(family: str, resolution: int, **changes: object) -> bool:
    try:
        check_network("generator", of_generator(family, **changes), "image", resolution)
    except ValueError:
        return False
    return True


CASES = [
    (family, norm, resolution, depth)
    for family in FAMILIES
    for norm in (NORMS if family in FREE else ["none"])
    for resolution in RESOLUTIONS
    for depth in DEPTHS.get(family, [None, 1, 2, 3, 4, 5])
    if allowed(family, resolution, norm=norm, depth=depth)
]


def test_the_cases_cover_every_family_norm_and_resolution() -> None:
    expected = {(f, n, r) for f in FAMILIES for n in (NORMS if f in FREE else ["none"]) for r in SIZES[f]} - {
        ("mlp", "instance", r) for r in RESOLUTIONS
    }
    assert {case[:3] for case in CASES} == expected
    for name in ("dcgan", "resnet", "sndcgan"):
        assert {depth for family, _, r, depth in CASES if (family, r) == (name, 64)} == {None, 1, 2, 3, 4, 5}
        assert {depth for family, _, r, depth in CASES if (family, r) == (name, 28)} == {None, 1, 2}


@pytest.mark.parametrize(("family", "norm", "resolution", "depth"), CASES)
def test_shapes_and_gradients(family: str, norm: str, resolution: int, depth: int | None) -> None:
    shape = (3, resolution, resolution)
    chosen = {"norm": norm, "depth": depth}
    generator, discriminator = (
        build_generator(of_generator(family, **chosen), 5, Facts("image", shape), seed=1),
        build_discriminator(small(family, **chosen), shape, seed=2),
    )
    # What grows uses its weights by turns: each is used in the middle of some fade.
    levels: list[Any] = [(at + 0.5,) for at in range(stages(resolution))] if hasattr(generator, "grows") else [()]
    for level in levels:
        fakes = generator(torch.randn(2, 5, generator=torch.Generator().manual_seed(0)), *level)
        scores = discriminator(fakes, None, None, *level)
        assert fakes.shape == (2, *shape)
        assert scores.shape == (2,)
        assert fakes.abs().max() <= 1
        scores.square().sum().backward()
    for side in (generator, discriminator):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in side.parameters())


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "instance"])
def test_points(norm: str) -> None:
    spec = small("mlp", norm=norm, depth=2)
    fakes = build_generator(spec, 3, Facts("points", (2,)), seed=1)(torch.randn(6, 3))
    assert fakes.shape == (6, 2)
    assert build_discriminator(spec, (2,), seed=1)(fakes).shape == (6,)


def test_points_are_not_bounded() -> None:
    generator = build_generator(small("mlp"), 3, Facts("points", (2,)), seed=1)
    assert generator(1000 * torch.ones(1, 3)).abs().max() > 1


@pytest.mark.parametrize(("side", "default"), [("generator", "relu"), ("discriminator", "leaky_relu")])
@pytest.mark.parametrize("name", [None, *get_args(Activation)])
def test_the_activation_is_the_specs(name: str | None, side: str, default: str) -> None:
    spec = small("dcgan", activation=name, norm="none")
    build = {
        "generator": build_generator(spec, 5, Facts("image", (1, 16, 16)), 1),
        "discriminator": build_discriminator(spec, (1, 16, 16), 1),
    }
    kinds = tuple(type(make()) for make in ACTIVATIONS.values())
    found = [type(layer) for layer in build[side].modules() if isinstance(layer, kinds)]
    assert len(found) == (3 if side == "generator" else 2)
    assert set(found[:2]) == {type(ACTIVATIONS[name or default]())}


@pytest.mark.parametrize("init", get_args(Init))
@pytest.mark.parametrize("norm", ["none", "batch", "spectral"])
@pytest.mark.parametrize("family", FREE)
def test_the_seed_alone_decides_the_weights(family: str, norm: str, init: str) -> None:
    spec, before = small(family, norm=norm, init=init), torch.get_rng_state()
    first = build_discriminator(spec, (1, 8, 8), seed=1).state_dict()
    torch.manual_seed(99)
    torch.rand(3)
    disturbed = torch.get_rng_state()
    same = build_discriminator(spec, (1, 8, 8), seed=1).state_dict()
    other = build_discriminator(spec, (1, 8, 8), seed=2).state_dict()
    assert torch.equal(torch.get_rng_state(), disturbed)
    assert first.keys() == same.keys()
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    torch.set_rng_state(before)


@pytest.mark.parametrize(
    ("init", "deviation"),
    [("normal", 0.02), ("xavier", (2 / 512) ** 0.5), ("orthogonal", 1 / 16), ("kaiming", (2 / 1.04 / 256) ** 0.5)],
)
def test_initial_weights_have_their_spread(init: str, deviation: float) -> None:
    """The standard deviation of a 256 x 256 layer's weights; kaiming for leaky_relu with slope 0.2."""
    network = build_discriminator(small("mlp", width=256, init=init), (2,), seed=1)
    hidden = [m for m in network.modules() if isinstance(m, nn.Linear)][1]
    assert float(hidden.weight.detach().std()) == pytest.approx(deviation, rel=0.02)
    assert not hidden.bias.any()


def test_vectors_of_classes_are_spread_by_what_they_are_added_to() -> None:
    """kaiming: of the inputs that a class is, one-hot, one alone is not 0, so that many classes make no smaller sum."""
    build = build_discriminator(small("mlp", width=256, init="kaiming"), (2,), 1, "projection", 10)
    assert float(build.head.embed.weight.detach().std()) == pytest.approx((2 / 1.04 / 256) ** 0.5, rel=0.05)


@pytest.mark.parametrize("family", FREE)
def test_orthogonal_weights_are_orthogonal(family: str) -> None:
    """Saxe et al. 2014: of each layer as a matrix, rows or columns, whichever are fewer, are orthonormal."""
    network = build_discriminator(small(family, init="orthogonal", width=8, norm="none"), (3, 16, 16), seed=1)
    layers = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert len(layers) > 2
    for layer in layers:
        matrix = layer.weight.detach().flatten(1)
        matrix = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FREE)
def test_spectral_norm_bounds_each_layer(family: str) -> None:
    """After some steps of its power iteration, which is of the weight as a matrix (Miyato et al. 2018, sec. 2.1)."""
    network = build_discriminator(small(family, norm="spectral", width=8), (1, 16, 16), seed=1)
    for _ in range(100):
        network(torch.zeros(2, 1, 16, 16))
    network.eval()
    layers = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert len(layers) > 2
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2)
        assert float(largest) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "spectral"])
def test_maxout_is_the_largest_of_five_linear_units(norm: str) -> None:
    """Goodfellow et al. 2013, eq. 1, on both sides of an mlp."""
    spec = small("mlp", depth=2, activation="maxout", norm=norm)
    scores = build_discriminator(spec, (2,), seed=1)(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))
    assert scores.shape == (6,)
    assert build_generator(spec, 3, Facts("points", (2,)), seed=1)(torch.randn(6, 3)).shape == (6, 2)
    x = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([x[:, unit * 5 : unit * 5 + 5].max(1).values for unit in range(4)], 1)
    assert torch.equal(Maxout()(x), expected)

"""Progressive growing against the published code's equations, at both ends of a fade, and through the loop."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu, linear

from pipeline import games
from pipeline.conformance.checks import conform
from pipeline.data.dataset import Dataset
from pipeline.errors import InputError
from pipeline.games.adversarial import AdversarialGame
from pipeline.games.game import Draw, Facts, Progress
from pipeline.games.growing import faded
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.networks.equalised import GAIN, EqualisedConv2d, EqualisedLinear
from pipeline.games.networks.progressive import PixelNorm
from pipeline.schema.base import parse
from pipeline.schema.growing import GrowthSpec
from pipeline.schema.layers import DOUBLED
from pipeline.schema.networks import FAMILIES
from pipeline.schema.trial import TrialSpec
from pipeline.training.making import sampled
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from pipeline.training.store import Store
from tests.conformance.test_training import copied, difference
from tests.games.test_adversarial import seeded, turn

BUDGET = 480
TREE: dict[str, Any] = {
    "data": {"name": "fashion_mnist", "resolution": 16},  # two doublings: 8 fades in from 1/8 of the budget to 1/4
    "budget": {"images": BUDGET},
    "evaluation": {"every": BUDGET},
    "game": {"objective": "wasserstein"},
    "latent": {"size": 5},
    "generator": {"network": "progressive", "width": 4, "max_width": 8},
    "discriminator": {"network": "progressive", "width": 4, "max_width": 8},
    "regularisers": {"wgan_gp": {}, "drift": {}},
    "batch_size": 8,
    "device": "cpu",
    "precision": "fp32",
}


def spec_of(**changes: Any) -> TrialSpec:
    return parse(TrialSpec, TREE | changes, "toy")


def made(resolution: int = 16, kind: str | None = None, classes: int = 0, **changes: Any) -> tuple[Any, Any]:
    """Both networks, with every weight and bias drawn."""
    said = {"network": "progressive", "width": 4, "max_width": 8} | changes
    family = FAMILIES["progressive"]
    shape, draw = (3, resolution, resolution), seeded(9)
    pair = (
        build_generator(family.generator.model_validate(said), 5, Facts("image", shape), 1, classes),
        build_discriminator(family.discriminator.model_validate(said), shape, 1, kind, classes),
    )
    with torch.no_grad():
        for network in pair:
            for parameter in network.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return pair


def of_kind(network: nn.Module, *kinds: type[nn.Module]) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


def conv(x: Tensor, layer: Any, gain: float = math.sqrt(2)) -> Tensor:
    """get_weight() with use_wscale, conv2d() and apply_bias()."""
    weight = layer.weight
    std = gain / math.sqrt(weight.shape[1] * weight.shape[2] * weight.shape[3])
    return conv2d(x, weight * std, padding=weight.shape[2] // 2) + layer.bias[None, :, None, None]


def dense(x: Tensor, layer: Any, gain: float = math.sqrt(2)) -> Tensor:
    return linear(x, layer.weight * gain / math.sqrt(layer.weight.shape[1])) + layer.bias


def upscaled(x: Tensor) -> Tensor:
    return x[:, :, :, None, :, None].tile(1, 1, 1, 2, 1, 2).reshape(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])


def normed(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def clipped(a: Tensor, b: Tensor, t: float) -> Tensor:
    """lerp_clip()."""
    return a + (b - a) * min(max(t, 0.0), 1.0)


LODS = (0.0, 0.3, 1.0, 1.6, 2.0)


@pytest.mark.parametrize("lod", LODS)
def test_the_generator_is_the_published_linear_structure(lod: float) -> None:
    """G_paper, structure "linear", which computes every stage; a level is what their lod leaves of all doublings."""
    generator, _ = made()
    convolutions = [of_kind(stage, EqualisedConv2d) for stage in generator.stages]
    first = of_kind(generator.stages[0], EqualisedLinear)[0]
    z = torch.randn(3, 5, generator=seeded())

    def act(x: Tensor) -> Tensor:
        return normed(leaky_relu(x, 0.2))

    def torgb(x: Tensor, number: int) -> Tensor:
        return conv(x, generator.to_image[number][0], 1.0).tanh()

    x = act(dense(normed(z), first, math.sqrt(2) / 4).reshape(-1, 8, 4, 4))
    x = act(conv(x, convolutions[0][0]))
    images = torgb(x, 0)
    for number in (1, 2):
        for at, layer in enumerate(convolutions[number]):
            x = act(conv(upscaled(x) if at == 0 else x, layer))
        images = clipped(torgb(x, number), upscaled(images), lod - (2 - number))
    torch.testing.assert_close(generator(z, 2 - lod), images)


@pytest.mark.parametrize("lod", LODS)
def test_the_discriminator_is_the_published_linear_structure(lod: float) -> None:
    """D_paper, structure "linear", with its standard deviation in groups of 4 before the last block."""
    _, discriminator = made()
    images = torch.randn(8, 3, 16, 16, generator=seeded())

    def act(x: Tensor) -> Tensor:
        return leaky_relu(x, 0.2)

    def fromrgb(x: Tensor, number: int) -> Tensor:
        return act(conv(x, discriminator.from_image[number][0]))

    x = fromrgb(images, 2)
    for number in (2, 1):
        one, other = of_kind(discriminator.stages[number], EqualisedConv2d)
        x = avg_pool2d(act(conv(act(conv(x, one)), other)), 2)
        images = avg_pool2d(images, 2)
        x = clipped(x, fromrgb(images, number - 1), lod - (2 - number))
    grouped = x.reshape(4, -1, *x.shape[1:])
    y = (grouped - grouped.mean(0, keepdim=True)).square().mean(0)
    y = (y + 1e-8).sqrt().mean((1, 2, 3), keepdim=True).tile(4, 1, 4, 4)
    (last,), (before,) = (of_kind(discriminator.stages[0], kind) for kind in (EqualisedConv2d, EqualisedLinear))
    x = act(dense(act(conv(torch.cat([x, y], 1), last)).flatten(1), before))
    expected = dense(x, discriminator.head.score, 1.0)[:, 0]
    found = discriminator(torch.randn(8, 3, 16, 16, generator=seeded()), None, None, 2 - lod)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("below", [0, 1])
def test_a_fade_begins_at_the_lower_stage_and_ends_at_the_higher_one(below: int) -> None:
    """Its ends themselves, and right beside them: nothing jumps."""
    generator, discriminator = made()
    z, x = torch.randn(4, 5, generator=seeded()), torch.randn(4, 3, 16, 16, generator=seeded(1))
    # At the lower end, the lower stage's image enlarged by hand; at the higher one the next stage's.
    h = z
    for number, stage in enumerate(generator.stages[: below + 2]):
        h = stage(h)
        if number >= below:
            images = generator.to_image[number](h)
            while images.shape[2] < 16:
                images = upscaled(images)
            assert torch.equal(generator(z, float(number)), images)
    for network, given in ((generator, (z,)), (discriminator, (x, None, None))):
        for end, inside in ((below, below + 1e-6), (below + 1, below + 1 - 1e-6)):
            torch.testing.assert_close(network(*given, float(end)), network(*given, inside), rtol=1e-3, atol=1e-4)
    half = faded(x, below + 0.5, 2)
    torch.testing.assert_close(half, (faded(x, below, 2) + faded(x, below + 1, 2)) / 2)
    assert torch.equal(faded(x, 2.0, 2), x)


@pytest.mark.parametrize("lod", LODS)
def test_reals_fade_as_in_the_published_code(lod: float) -> None:
    """train.py, process_reals, of images that their data set has reduced to the resolution of floor(lod)."""
    images = torch.randn(2, 3, 16, 16, generator=seeded())
    x = avg_pool2d(images, 2 ** math.floor(lod)) if lod >= 1 else images
    y = upscaled(x.reshape(2, 3, x.shape[2] // 2, 2, x.shape[3] // 2, 2).mean((3, 5)))
    x = x + (y - x) * (lod - math.floor(lod))
    for _ in range(math.floor(lod)):
        x = upscaled(x)
    torch.testing.assert_close(faded(images, 2 - lod, 2), x)


def test_the_schedule_at_its_known_points() -> None:
    """theano_version config.py: CIFAR-10, 400k images to train and 400k to fade in, of 20 million."""
    cifar, resolution = GrowthSpec(final=1 - 2.4 / 20), 32

    def level(million: float) -> float:
        return cifar.level(million / 20, resolution)

    points = {0: 0, 0.4: 0, 0.6: 0.5, 0.8: 1, 1.2: 1, 1.4: 1.5, 1.6: 2, 2.0: 2, 2.3: 2.75, 2.4: 3, 20: 3}
    assert [level(at) for at in points] == pytest.approx(list(points.values()), abs=1e-6)
    steps = [level(2.4 * at / 1000) for at in range(1001)]
    assert all(0 <= later - earlier <= 0.0061 for earlier, later in pairwise(steps))


def test_a_schedule_may_jump_begin_higher_or_not_grow() -> None:
    assert [GrowthSpec(fade=0).level(at, 16) for at in (0.0, 0.24, 0.26, 0.49, 0.5)] == [0, 0, 1, 1, 2]
    assert GrowthSpec(fade=1).level(0.125, 16) == pytest.approx(0.5)
    higher = GrowthSpec(start=8)
    assert [higher.level(at, 16) for at in (0.0, 0.25, 0.375, 0.5)] == [1, 1, 1.5, 2]
    assert GrowthSpec(start=16).level(0.0, 16) == 2


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_layers_start_as_hes_and_step_at_one_rate(multiplier: float) -> None:
    """He et al. 2015 at the start, whatever the multiplier; a step of Adam changes the weights that are used by the
    rate times that scale (and the multiplier): relatively alike in layers of any size."""
    x = torch.randn(1000, 400, generator=seeded())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        wide = EqualisedLinear(400, 300, gain=GAIN, lr_multiplier=multiplier)
        layers = [wide, EqualisedConv2d(40, 300, 3, gain=GAIN, lr_multiplier=multiplier)]
    assert float(wide(x).detach().std()) == pytest.approx(math.sqrt(2), rel=0.02)
    inputs = [x, x[:100, :360].reshape(100, 40, 3, 3)]
    for layer, given in zip(layers, inputs, strict=True):
        before, fan_in = layer.weight.detach().clone() * layer.scale, layer.weight[0].numel()
        assert float(before.std()) == pytest.approx(math.sqrt(2 / fan_in), rel=0.02)
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
        layer(given).sum().backward()
        optimiser.step()
        moved = (layer.weight.detach() * layer.scale - before).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.01 * multiplier * math.sqrt(2 / fan_in)))
        with torch.no_grad():
            bias = layer(torch.zeros_like(given)).flatten(1)[0, 0]
        assert abs(float(bias)) == pytest.approx(0.01 * multiplier)


def test_pixel_norm_gives_each_pixel_a_mean_square_of_one() -> None:
    out = PixelNorm()(torch.randn(2, 5, 3, 3, generator=seeded()) * 7)
    torch.testing.assert_close(out.square().mean(1), torch.ones(2, 3, 3))


@pytest.mark.parametrize("resolution", DOUBLED)
def test_every_resolution_is_built_and_has_a_gradient_in_every_weight(resolution: int) -> None:
    """Over all levels; what a level does not use has none in it."""
    generator, discriminator = made(resolution, width=2)
    doublings = int(math.log2(resolution)) - 2
    z = torch.randn(2, 5, generator=seeded())
    with pytest.raises(IndexError):
        generator.stages[doublings + 1]
    for level in range(doublings):
        images = generator(z, level + 0.5)
        assert images.shape == (2, 3, resolution, resolution)
        discriminator(images, None, None, level + 0.5).square().sum().backward()
        later = [
            p for network in (generator, discriminator) for s in network.stages[level + 2 :] for p in s.parameters()
        ]
        assert all(p.grad is None for p in later)
    for network in (generator, discriminator):
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


def state_of(seed: int = 1, **changes: Any) -> TrainingState:
    images = torch.randint(0, 256, (64, 1, 16, 16), dtype=torch.uint8, generator=seeded())
    nothing = images[:0]
    return initial(
        spec_of(**changes),
        Dataset("noise", "image", images, nothing, nothing, None, None, None, 0, "none", 1, 16),
        seed,
    )


def test_a_run_resumes_to_the_bit_in_the_middle_of_a_fade(tmp_path: Path) -> None:
    def train(state: TrainingState, images: int) -> None:
        while state.images < images:
            measured = step(state, state.batches.next(state.randomness), state.randomness)
            assert all(bool(value.isfinite()) for value in measured.values())

    state = state_of()
    train(state, 88)  # of 60 to 120, in which 8 x 8 fades in
    Store(tmp_path).save(state.images, {"state": state.tensors()})
    middle = copied(state.game.generator.state_dict())
    train(state, 200)  # past its end, and into the next fade
    found = Store(tmp_path).newest()
    assert found is not None
    resumed = state_of(seed=2)
    resumed.restore(found[1]["state"])
    train(resumed, 200)
    assert difference(state.tensors(), resumed.tensors()) == []
    for name in ("stages.2.1.weight", "to_image.2.0.weight"):  # began after the checkpoint
        assert not torch.equal(middle[name], state.game.generator.state_dict()[name])


def game_of(**changes: Any) -> AdversarialGame:
    game = games.build(spec_of(**changes), Facts("image", (1, 16, 16), (3, 1)), 1)
    assert isinstance(game, AdversarialGame)
    return game


@pytest.mark.parametrize("condition", [None, "concatenation", "projection", "auxiliary_classifier"])
def test_both_sides_and_the_reals_are_at_the_level_of_the_training(condition: str | None) -> None:
    game = game_of(game={"condition": {"kind": condition}} if condition else {})
    progress = Progress(images=BUDGET * 3 // 16, budget=BUDGET)  # 8 x 8, half faded in
    inputs: Any = game.inputs(4, seeded(), {"label": torch.arange(4) % 2})
    fake = game.generate(game.generator, inputs, Draw(seeded(), progress))
    assert isinstance(fake, Tensor)
    fed = inputs["latent"] if condition is None else torch.cat([inputs["latent"], torch.eye(2)[inputs["label"]]], 1)
    assert torch.equal(fake, game.generator(fed, 0.5))
    real, told = torch.randn(4, 1, 16, 16, generator=seeded(2)), []

    def judging(x: Tensor, *given: Any) -> Any:
        told.append((x, given[-1]))
        return game.discriminator(x, *given)

    at = turn(game, real, fake, inputs=inputs)
    at = type(at)(**(vars(at) | {"progress": progress}))
    losses = game.discriminator_loss(judging, at)
    assert float(losses.measurements["growth_level"]) == 0.5
    game.generator_loss(game.generator, judging, at)
    assert {level for _, level in told} == {0.5}
    assert torch.equal(told[0][0], faded(real, 0.5, 2))


def test_samples_are_of_the_full_resolution_and_of_the_level_that_was_reached() -> None:
    game = game_of()
    inputs = game.inputs(4, seeded(), {})
    for images, side in ((0, 4), (BUDGET // 4, 8), (BUDGET // 2, 16), (BUDGET, 16)):
        made = sampled(game, game.generator, inputs, spec_of(), Progress(images=images, budget=BUDGET))["samples"]
        assert made.shape == (4, 1, 16, 16)
        torch.testing.assert_close(made, faded(made, math.log2(side) - 2, 2))
        if side > 4:
            assert not torch.allclose(made, faded(made, math.log2(side) - 3, 2), atol=1e-3)


def test_it_conforms() -> None:
    changes = {"data": {"name": "digits"}, "regularisers": {"drift": {}}, "budget": {"images": 1000}}
    assert {
        check.name: check.wrong for check in conform(spec_of(**changes, evaluation={"every": 500})) if check.wrong
    } == {}


OWN = """
import torch
from torch import nn

class Growing(nn.Module):
    grows = True
    def __init__(self, latent_size, classes, shape):
        super().__init__()
        self.shape, self.made = shape, nn.Linear(latent_size, 256)
    def forward(self, inputs, level):
        return (level * self.made(inputs)).tanh().view(-1, *self.shape)
"""


def test_a_network_of_ones_own_grows(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    game = game_of(generator={"network": f"{tmp_path / 'mine.py'}:Growing"})
    inputs = game.inputs(2, seeded(), {})
    grown = [game.generate(game.generator, inputs, Draw(seeded(), Progress(images=at, budget=4))) for at in (0, 4)]
    assert [bool(each.any()) for each in grown if isinstance(each, Tensor)] == [False, True]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"data": {"name": "fashion_mnist", "resolution": 28}},
            "data.resolution: found 28; progressive doubles 4 x 4 pixels, valid: 8, 16, 32, 64, 128, 256",
        ),
        (
            {"game": {"growth": {"fade": 1.5}}},
            "game.growth: fade: found 1.5, a fade longer than its phase; valid: 0 to 1, the share of a resolution's "
            "phase in which the next one fades in",
        ),
        (
            {"game": {"growth": {"start": 5}}},
            "game.growth.start: found 5; data of 16 pixels is halved to it, valid: 4, 8, 16",
        ),
        (
            {"generator": {"network": "progressive", "width": 8, "max_width": 4}},
            "generator: max_width: found 4; valid: at least width (8)",
        ),
    ],
)
def test_what_cannot_grow_is_refused_in_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as caught:
        spec_of(**changes)
    assert str(caught.value) == f"toy: {line}"


def test_a_schedule_without_a_network_that_grows_is_refused() -> None:
    plain = {"network": "dcgan", "width": 4}
    with pytest.raises(InputError, match=r"^game.growth: found it with networks that do not grow; valid: with progr"):
        game_of(generator=plain, discriminator=plain, game={"growth": {}}, regularisers={})
    data = Facts("points", (2,))
    with pytest.raises(InputError, match=r"generator.network: found progressive; points have no pixels"):
        games.build(spec_of(), data, 1)

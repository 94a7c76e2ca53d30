"""StyleGAN2 against the definitions of its paper and code, transcribed sample by sample."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, pad

from pipeline.errors import InputError
from pipeline.games import paths
from pipeline.games.game import Draw, Facts
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.networks.equalised import EqualisedConv2d, EqualisedLinear
from pipeline.games.networks.layers import Residual
from pipeline.games.networks.modulated import StyledConv, modulated, same
from pipeline.schema.base import parse
from pipeline.schema.networks import FAMILIES
from pipeline.schema.parts import PathLengthSpec
from pipeline.schema.trial import TrialSpec
from pipeline.training.state import initial
from pipeline.training.step import step
from tests.conformance.test_training import data

TREE: dict[str, Any] = {
    "data": {"name": "digits"},
    "budget": {"images": 640},
    "evaluation": {"every": 320},
    "latent": {"size": 6},
    "generator": {"network": "stylegan2", "width": 4, "mapping_depth": 2},
    "discriminator": {"network": "stylegan2", "width": 4},
    "batch_size": 8,
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


def again(count: int, randomness: torch.Generator) -> Tensor:
    return torch.randn(count, 6, generator=randomness)


def generator(resolution: int = 16, classes: int = 0, **changes: Any) -> Any:
    tree = {"network": "stylegan2", "width": 4, "mapping_depth": 2} | changes
    spec = FAMILIES["stylegan2"].generator.model_validate(tree)
    return build_generator(spec, 6, Facts("image", (3, resolution, resolution)), 1, classes)


def discriminator(resolution: int = 16, kind: str | None = None, classes: int = 0, **changes: Any) -> Any:
    spec = FAMILIES["stylegan2"].discriminator.model_validate({"network": "stylegan2", "width": 4} | changes)
    return build_discriminator(spec, (3, resolution, resolution), 1, kind, classes)


def scrambled(network: nn.Module) -> Any:
    """Biases and noise strengths that are not 0, so that none can be left out unseen."""
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            parameter.add_(0.3 * drawn(*parameter.shape, seed=number))
    return network


def filtered(x: Tensor, up: int, down: int, padding: tuple[int, int]) -> Tensor:
    """upfirdn2d with the taps 1 3 3 1: zeros between the values, padding, the filter, and every `down`th value."""
    spread = torch.zeros(*x.shape[:2], up * x.shape[2], up * x.shape[3])
    spread[:, :, ::up, ::up] = x
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = (torch.outer(taps, taps) / 64 * up**2).expand(x.shape[1], 1, 4, 4)
    return conv2d(pad(spread, (*padding, *padding)), kernel, groups=x.shape[1])[:, :, ::down, ::down]


@pytest.mark.parametrize("demodulate", [True, False])
def test_a_modulated_convolution_is_each_samples_own(demodulate: bool) -> None:
    """Karras et al. 2020, eq. 1 and 3, literally: w'_ijk = s_i w_ijk, over the root of the sum of its squares."""
    x, weight, styles = drawn(5, 3, 6, 6), drawn(4, 3, 3, 3, seed=1), drawn(5, 3, seed=2)
    rows = []
    for sample, style in zip(x, styles, strict=True):
        own = torch.stack([torch.stack([style[i] * weight[o, i] for i in range(3)]) for o in range(4)])
        if demodulate:
            own = torch.stack([kernel / (kernel.square().sum() + 1e-8).sqrt() for kernel in own])
        rows.append(conv2d(sample[None], own, padding=1))
    torch.testing.assert_close(modulated(x, weight, styles, same, demodulate), torch.cat(rows))


def test_a_styled_convolution_doubles_as_published() -> None:
    """NVlabs/stylegan2-ada-pytorch, SynthesisLayer: upsampled with the filter's own padding (upfirdn2d by 3 and 2),
    convolved without any, demodulated by sample, noise times strength, bias, root 2 times leaky relu."""
    layer: Any = scrambled(StyledConv((3, 4), 6, 12, up=True))
    x, w = drawn(2, 3, 6, 6), drawn(2, 6, seed=1)
    styles = w @ (layer.affine.weight / math.sqrt(6)).T + layer.affine.bias
    own = styles[:, None, :, None, None] * layer.weight
    own = own / (own.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    up = filtered(x, 2, 1, (3, 2))
    turned = own.flip(3, 4)  # their transposed convolution is by weights that are not turned round
    out = torch.cat([conv2d(up[n : n + 1], turned[n]) for n in range(2)])
    out = out + layer.noise * layer.strength + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x, w, None), math.sqrt(2) * leaky_relu(out, 0.2), rtol=1e-4, atol=1e-5)


def test_a_block_of_the_discriminator_is_published() -> None:
    """DiscriminatorBlock (resnet): conv, leaky relu, blur and stride 2 beside a 1 x 1 of the halved x, over root 2."""
    network = scrambled(discriminator())
    block = next(layer for layer in network.modules() if isinstance(layer, Residual))
    one, two, beside = [layer for layer in block.modules() if isinstance(layer, EqualisedConv2d)]
    assert beside.bias is None
    x = drawn(2, 4, 16, 16)

    def act(h: Tensor, gain: float) -> Tensor:
        return gain * leaky_relu(h, 0.2)

    h = act(conv2d(x, one.weight / 6, one.bias, padding=1), math.sqrt(2))  # 6: the root of 4 * 9
    h = act(conv2d(filtered(h, 1, 1, (2, 2)), two.weight / 6, two.bias, stride=2), 1.0)
    shortcut = math.sqrt(0.5) * conv2d(filtered(x, 1, 2, (1, 1)), beside.weight / 2)
    torch.testing.assert_close(block(x, None), h + shortcut, rtol=1e-4, atol=1e-5)


def test_images_are_the_upsampled_sum_of_all_resolutions() -> None:
    """Karras et al. 2020, fig. 7b: each resolution adds what its styles make to the upsampled image so far."""
    network = scrambled(generator(8)).eval()
    styles = drawn(2, network.count, 6)
    assert network.count == 2 * math.log2(8) - 2
    x = network.first(network.const.expand(2, -1, -1, -1), styles[:, 0], None)
    low = network.image(x, styles[:, 1])
    (block,) = network.blocks
    x = block.conv(block.up(x, styles[:, 1], None), styles[:, 2], None)
    expected = (filtered(low, 2, 1, (2, 1)) + block.image(x, styles[:, 3])).tanh()
    torch.testing.assert_close(network.images(styles), expected, rtol=1e-4, atol=1e-5)


def test_path_lengths_are_those_of_finite_differences() -> None:
    """|J_w^T y|: of each value of each style, how much y's product with the images changes (Karras et al. 2020,
    eq. 4), by central differences."""
    network = scrambled(generator(8)).eval()
    styles = drawn(2, network.count, 6).requires_grad_(True)
    y = drawn(2, 3, 8, 8, seed=5) / 8  # the root of the pixels
    found = paths.lengths(network.images(styles), styles, seeded(5))
    gradient, apart = torch.zeros(styles.shape), 3e-3
    with torch.no_grad():
        for at in range(styles[0].numel()):
            moved = torch.zeros(styles[0].numel())
            moved[at] = apart
            ends = [network.images(styles + way * moved.view(styles.shape[1:])) for way in (1, -1)]
            gradient.flatten(1)[:, at] = ((ends[0] - ends[1]) * y).sum((1, 2, 3)) / (2 * apart)
    torch.testing.assert_close(found, gradient.square().sum(2).mean(1).sqrt(), rtol=5e-3, atol=1e-3)


def test_the_paths_penalty_is_of_the_mean_with_this_step_in_it() -> None:
    """loss.py: pl_mean.lerp(lengths.mean(), pl_decay), then weight * (lengths - pl_mean)^2."""
    spec, state, lengths = PathLengthSpec(weight=3.0), {"mean": torch.tensor(2.0)}, torch.tensor([1.0, 4.0])
    mean = torch.tensor(2.0).lerp(lengths.mean(), 0.01)
    torch.testing.assert_close(paths.penalty(lengths, state, spec, 0.5), 3 * (lengths - mean).square())
    torch.testing.assert_close(paths.advanced(lengths.mean(), state, spec)["mean"], mean)


def test_paths_are_penalised_every_fourth_step_of_the_generator() -> None:
    spec = TrialSpec.model_validate(TREE | {"regularisers": {"path_length": {}}, "device": "cpu"})
    state, means = initial(spec, data("digits"), 1), []
    for _ in range(9):
        step(state, state.batches.next(state.randomness), state.randomness)
        means.append(float(state.auxiliary["generator"]["path_length"]["mean"]))
    assert means[0] > 0
    assert [means[at] == means[at - 1] for at in range(1, 9)] == [True, True, True, False, True, True, True, False]
    total, steps = state.window_g.measured["path_length"]
    assert steps == 3
    assert float(total) > 0


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_so_many_images_have_the_styles_of_two_latents(share: float) -> None:
    network = generator(8, style_mixing=share).train()
    _, styles = network(drawn(2_000, 6), Draw(seeded(9)), again, True)
    alone = network.styles(drawn(2_000, 6))
    mixed = (styles != alone).any(2)  # (images, layers)
    assert not mixed[:, 0].any()
    assert (mixed[:, 1:] >= mixed[:, :-1]).all()  # from one layer on
    assert float(mixed[:, -1].float().mean()) == pytest.approx(share, abs=0.04)
    if share == 1:
        assert {int(each) for each in (~mixed).sum(1)} == set(range(1, network.count))


def test_a_second_latent_has_the_class_of_the_first() -> None:
    network, classes = scrambled(generator(classes=3, style_mixing=1.0)).train(), torch.eye(3)[[2, 0]]
    _, styles = network(torch.cat([drawn(2, 6), classes], 1), Draw(seeded(4)), lambda *_: drawn(2, 6, seed=7), True)
    second = network.styles(torch.cat([drawn(2, 6, seed=7), classes], 1))
    torch.testing.assert_close(styles[:, -1], second[:, -1])


def test_noise_is_new_in_training_and_the_same_in_evaluation() -> None:
    network, inputs, randomness = scrambled(generator(style_mixing=0.0)), drawn(2, 6), seeded()
    new = [network.train()(inputs, Draw(randomness), again) for _ in range(2)]
    assert not torch.equal(*new)
    same_ones = [network.eval()(inputs, Draw(randomness), again) for _ in range(2)]
    assert torch.equal(*same_ones)


def test_a_latents_length_does_not_matter() -> None:
    network = generator().eval()
    torch.testing.assert_close(network(drawn(2, 6)), network(5 * drawn(2, 6)), rtol=1e-4, atol=1e-5)


def test_the_mean_of_styles_is_kept_in_training_and_goes_to_the_average() -> None:
    network = generator().train()
    w = network.styles(drawn(50, 6))[:, 0]
    for _ in range(3):
        network(drawn(50, 6))
    torch.testing.assert_close(network.mean, w.mean(0) * (1 - 0.995**3))  # from 0
    before = network.mean.clone()
    network.eval()(drawn(50, 6, seed=1))
    assert torch.equal(network.mean, before)
    state = initial(TrialSpec.model_validate(TREE | {"device": "cpu"}), data("digits"), 1)
    step(state, state.batches.next(state.randomness), state.randomness)
    saved = state.tensors()["ema"]["mean"]
    assert torch.equal(saved, state.game.generator.get_buffer("mean"))
    assert bool(saved.any())


def test_truncation_goes_from_the_mean_of_the_styles_to_the_sample() -> None:
    network = generator().train()
    for _ in range(20):
        network(drawn(16, 6))
    network.eval()
    full = network(drawn(4, 6))
    network.truncation = 0.0
    at_mean = network(drawn(4, 6))
    torch.testing.assert_close(at_mean, network.images(network.spread(network.mean[None])).expand(4, -1, -1, -1))
    network.truncation = 0.5
    half = network(drawn(4, 6))
    assert bool((half - at_mean).norm() < (full - at_mean).norm())
    network.truncation = 1.0
    assert torch.equal(network(drawn(4, 6)), full)


def test_a_layers_own_rate_is_a_share_of_the_optimisers() -> None:
    """A step of Adam, of one sign everywhere, changes the weights in use by rate * lr_multiplier / root(inputs)."""
    for multiplier in (1.0, 0.01):
        layer = EqualisedLinear(16, 4, lr_multiplier=multiplier)
        before = layer(torch.eye(16)).detach()
        assert float(before.std()) == pytest.approx(0.25, rel=0.4)  # of one size at the start
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
        layer(torch.ones(1, 16)).sum().backward()
        optimiser.step()
        bias = 0.1 * multiplier
        torch.testing.assert_close(before - layer(torch.eye(16)), torch.full((16, 4), 0.1 * multiplier / 4 + bias))


def test_a_projection_is_of_the_classs_embedding() -> None:
    """DiscriminatorEpilogue: (out(x) * cmap).sum / root of the size of cmap."""
    network = scrambled(discriminator(8, "projection", 3))
    x, classes = drawn(4, 3, 8, 8), torch.eye(3)[[0, 1, 2, 1]]
    seen: list[Tensor] = []
    network.head.register_forward_hook(lambda _, fed, __: seen.append(fed[0]))
    scores = network(x, classes)
    embedded = network.head.mapping(torch.zeros(4, 0), classes)
    expected = (network.head.score(seen[0]) * embedded).sum(1) / math.sqrt(embedded.shape[1])
    torch.testing.assert_close(scores, expected)


@pytest.mark.parametrize("resolution", [64, 128, 256])
def test_large_images_are_made_and_judged(resolution: int) -> None:
    made = generator(resolution, width=2, widest=8)(drawn(1, 6))
    assert made.shape == (1, 3, resolution, resolution)
    discriminator(resolution, width=2, widest=8)(made.expand(2, -1, -1, -1)).sum().backward()


def test_widths_are_doubled_up_to_the_widest() -> None:
    """channel_base // resolution, at most channel_max: of 16384 and 512, at 256 pixels."""
    spec = FAMILIES["stylegan2"].generator.model_validate({"network": "stylegan2", "width": 64})
    assert spec.widths(256) == [min(16384 // 2**power, 512) for power in range(2, 9)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "weight"),
    [
        ({"regularisers": {"r1": {"interval": 16}}}, 0.0002 * 64 / 8),
        ({"regularisers": {"r1": {}}, "data": {"name": "digits", "resolution": 32}}, 0.0002 * 1024 / 8),
        ({"regularisers": {"r1": {"weight": 3.0}}}, 3.0),
        ({"regularisers": {"r1": {}}, "discriminator": {"network": "dcgan"}}, 10.0),
    ],
)
def test_the_weight_of_r1_goes_by_resolution_and_batch(changes: dict[str, Any], weight: float) -> None:
    r1 = parse(TrialSpec, TREE | changes, "x").regularisers.r1
    assert r1 is not None
    assert r1.weight == pytest.approx(weight)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"data": {"name": "digits", "resolution": 28}},
            "data.resolution: found 28; .* valid: 8, 16, 32, 64, 128, 256$",
        ),
        ({"generator": {"network": "stylegan2", "style_mixing": 1.5}}, "generator.style_mixing: found 1.5; valid: "),
        ({"generator": {"network": "stylegan2", "style_mixing": -0.1}}, "generator.style_mixing: found -0.1; valid: "),
        (
            {"generator": {"network": "stylegan2", "width": 600}},
            r"generator: widest: found 512; valid: .* width \(600\)",
        ),
        (
            {"generator": {"network": "dcgan"}, "regularisers": {"path_length": {}}},
            "path_length: found it with generator.network dcgan, which has no styles; valid: with stylegan2$",
        ),
        (
            {"regularisers": {"path_length": {"shrink": 16}}},
            r"path_length.shrink: found 16; valid: .* batch_size \(8\)",
        ),
        ({"regularisers": {"weight_clipping": {}}}, "weight_clipping: found it with discriminator.network stylegan2"),
        (
            {"data": {"name": "data.py:own"}, "regularisers": {"r1": {}}},
            "regularisers.r1.weight: missing; its default with stylegan2 goes by data.resolution; valid: one of them",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        parse(TrialSpec, TREE | changes, "x")

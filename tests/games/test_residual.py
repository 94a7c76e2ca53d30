"""The residual families against the equations of the published code, transcribed for small cases."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, interpolate, leaky_relu, max_pool2d

from pipeline.errors import InputError
from pipeline.games.game import Facts
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.networks.attention import SelfAttention
from pipeline.games.networks.layers import Residual, ScaledConv2d
from pipeline.games.networks.resampling import Resample
from pipeline.schema.networks import FAMILIES, check_network

GENERATED = FAMILIES["resnet"].generator


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator(resolution: int, latent: int = 6, classes: int = 0, **changes: Any) -> nn.Module:
    family = changes.pop("network", "resnet")
    spec = FAMILIES[family].generator.model_validate({"network": family, "width": 8} | changes)
    return build_generator(spec, latent, Facts("image", (3, resolution, resolution)), 1, classes)


def discriminator(resolution: int, kind: str | None = None, classes: int = 0, **changes: Any) -> nn.Module:
    family = changes.pop("network", "resnet")
    spec = FAMILIES[family].discriminator.model_validate({"network": family, "width": 8} | changes)
    return build_discriminator(spec, (3, resolution, resolution), 1, kind, classes)


def scrambled(network: nn.Module) -> nn.Module:
    """Every weight drawn, so that none is 0 or 1 and none can be left out unseen."""
    draw = seeded(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
    return network


def test_self_attention_is_biggans() -> None:
    """ajbrock/BigGAN-PyTorch, layers.py, Attention.forward, with its reshapes; x itself at the start."""
    layer, x = SelfAttention(16), torch.randn(2, 16, 6, 4, generator=seeded())
    assert torch.equal(layer(x), x)
    scrambled(layer)
    theta = conv2d(x, layer.query.weight).view(-1, 2, 24)
    phi = max_pool2d(conv2d(x, layer.key.weight), [2, 2]).view(-1, 2, 6)
    g = max_pool2d(conv2d(x, layer.value.weight), [2, 2]).view(-1, 8, 6)
    beta = torch.softmax(torch.bmm(theta.transpose(1, 2), phi), -1)
    o = conv2d(torch.bmm(g, beta.transpose(1, 2)).view(-1, 8, 6, 4), layer.out.weight)
    torch.testing.assert_close(layer(x), layer.gamma * o + x)


def of_kind(layers: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in layers.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize("classes", [0, 3])
def test_a_block_of_the_generator_is_biggans(classes: int) -> None:
    """layers.py, GBlock.forward: norm, relu, up, conv, norm, relu, conv, beside up and a 1 x 1; ccbn: gain 1 + W y."""
    norm = "conditional_batch" if classes else "batch"
    block = of_kind(scrambled(generator(8, classes=classes, norm=norm)), Residual)[0]
    x, y = torch.randn(4, 8, 4, 4, generator=seeded()), torch.eye(3)[[0, 1, 2, 1]]
    first, second, shortcut = of_kind(block, nn.Conv2d)
    norms = [layer for layer in block.layers if layer not in (first, second)]

    def normed(h: torch.Tensor, layer: Any) -> torch.Tensor:
        if not classes:
            return batch_norm(h, None, None, layer.weight, layer.bias, training=True)
        gain, bias = (1 + y @ layer.gain.weight.T)[:, :, None, None], (y @ layer.bias.weight.T)[:, :, None, None]
        return batch_norm(h, None, None, training=True) * gain + bias

    h = interpolate(normed(x, norms[0]).relu(), scale_factor=2)
    h = conv2d(h, first.weight, first.bias, padding=1)
    h = conv2d(normed(h, norms[3]).relu(), second.weight, second.bias, padding=1)
    expected = h + conv2d(interpolate(x, scale_factor=2), shortcut.weight, shortcut.bias)
    torch.testing.assert_close(block(x, y), expected)


def test_the_blocks_of_the_discriminator_are_biggans() -> None:
    """layers.py, DBlock.forward: the first without an activation before it pools before the shortcut's 1 x 1, the
    others after it, and one that keeps the resolution has x itself beside it; then the sum over pixels of relu."""
    network, x = scrambled(discriminator(16, norm="none", depth=1)), torch.randn(2, 3, 16, 16, generator=seeded())
    blocks = of_kind(network, Residual)
    assert len(blocks) == 3
    one, two, beside = of_kind(blocks[0], nn.Conv2d)
    h = conv2d(conv2d(x, one.weight, one.bias, padding=1).relu(), two.weight, two.bias, padding=1)
    h = avg_pool2d(h, 2) + conv2d(avg_pool2d(x, 2), beside.weight, beside.bias)
    for block in blocks[1:]:
        one, two = of_kind(block, nn.Conv2d)
        inner = conv2d(conv2d(h.relu(), one.weight, one.bias, padding=1).relu(), two.weight, two.bias, padding=1)
        h = h + inner
    head: Any = network.head
    torch.testing.assert_close(network(x), head.score(h.relu().sum((2, 3)))[:, 0])
    # one that halves and is not the first
    second = of_kind(scrambled(discriminator(32, norm="none")), Residual)[1]
    one, two, beside = of_kind(second, nn.Conv2d)
    x = torch.randn(2, 8, 4, 4, generator=seeded())
    h = conv2d(conv2d(x.relu(), one.weight, one.bias, padding=1).relu(), two.weight, two.bias, padding=1)
    torch.testing.assert_close(second(x, None), avg_pool2d(h + conv2d(x, beside.weight, beside.bias), 2))


@pytest.mark.parametrize(
    ("resolution", "widths_g", "widths_d"),
    [(32, [1, 1, 1], [1, 1, 1, 1]), (64, [8, 4, 2, 1], [1, 2, 4, 8, 8]), (28, [1, 1], [1, 1, 1, 1])],
)
def test_blocks_and_widths_are_the_papers(resolution: int, widths_g: list[int], widths_d: list[int]) -> None:
    """Miyato et al. 2018, table 4: one width at 32 pixels, of 3 and 4 blocks; Brock et al. 2019, table 4: doubled."""
    for network, expected in ((generator(resolution), widths_g), (discriminator(resolution), widths_d)):
        found = [of_kind(block, nn.Conv2d)[0].out_channels // 8 for block in of_kind(network, Residual)]
        assert found == expected


def test_no_stage_is_wider_than_sixteen_times() -> None:
    found = [of_kind(block, nn.Conv2d)[0].out_channels for block in of_kind(generator(64, depth=5), Residual)]
    assert found == [128, 64, 32, 16, 8]


@pytest.mark.parametrize(("side", "resolution", "valid"), [("generator", 28, "28, 14"), ("discriminator", 28, "14, 7")])
def test_an_attention_that_no_block_has_is_refused(side: str, resolution: int, valid: str) -> None:
    spec = getattr(FAMILIES["resnet"], side).model_validate({"network": "resnet", "attention": 16})
    with pytest.raises(ValueError, match=rf"{side}.attention: found 16; no block .*, valid: {valid}$"):
        check_network(side, spec, "image", resolution)


@pytest.mark.parametrize("resolution", [8, 16, 32])
def test_attention_is_behind_the_block_that_makes_its_resolution(resolution: int) -> None:
    network = generator(32, attention=resolution)
    (layer,) = of_kind(network, SelfAttention)
    seen: list[torch.Size] = []
    layer.register_forward_hook(lambda _, fed, __: seen.append(fed[0].shape))
    network(torch.randn(2, 6))
    assert seen == [(2, 8, resolution, resolution)]


@pytest.mark.parametrize(("norm", "classes"), [("batch", 0), ("batch", 3), ("conditional_batch", 3)])
def test_skip_latents_reach_each_block(norm: str, classes: int) -> None:
    """Brock et al. 2019, app. B: a chunk for the first layer and one for each block; 11 values in chunks of 3."""
    network = generator(16, 11, classes, norm=norm, skip_latent=True).eval()
    assert network.chunks == [5, 3, 3]
    fed = torch.cat([torch.randn(1, 11, generator=seeded()), torch.eye(3)[:1, :classes]], 1)
    with torch.no_grad():
        image = network(fed)
        assert network.project.in_features == 5 + (0 if norm == "conditional_batch" else classes)
        for position in (0, 4, 5, 7, 8, 10, *range(11, 11 + classes)):
            other = fed.clone()
            other[:, position] += 1.0
            assert not torch.allclose(network(other), image), position


def test_skip_latents_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match=r"latent.size: found 2; .* splits it into 3 chunks, valid: at least 3"):
        generator(16, 2, skip_latent=True)
    spec = GENERATED.model_validate({"network": "resnet", "norm": "layer", "skip_latent": True})
    with pytest.raises(ValueError, match=r"generator.skip_latent: found true with norm layer; .*batch or conditional"):
        check_network("generator", spec, "image", 16)


def test_resampling_is_r3gans() -> None:
    """brownvc/R3GAN, Resamplers.py: the taps 1 2 1 convolved with 1 1, of sum 1; times 4 upwards."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = torch.outer(taps, taps) / 64
    x = torch.randn(2, 3, 6, 6, generator=seeded())
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    down = torch.stack(
        [(padded[:, :, i : i + 4, j : j + 4] * kernel).sum((2, 3)) for i in (0, 2, 4) for j in (0, 2, 4)], 2
    ).view(2, 3, 3, 3)
    torch.testing.assert_close(Resample(up=False)(x), down)
    spread = torch.zeros(2, 3, 17, 17)  # one value more and zeros at the edge, as a transposed convolution has them
    spread[:, :, 3:14:2, 3:14:2] = x
    up = torch.stack(
        [4 * (spread[:, :, i : i + 4, j : j + 4] * kernel).sum((2, 3)) for i in range(1, 13) for j in range(1, 13)], 2
    ).view(2, 3, 12, 12)
    torch.testing.assert_close(Resample(up=True)(x), up)


def test_a_block_of_r3gan_is_theirs() -> None:
    """Networks.py, ResidualBlock: 1 x 1, 3 x 3 in groups of 16 channels, 1 x 1; biases before the activations."""
    network = scrambled(generator(8, network="r3gan", width=32))
    block = of_kind(network, Residual)[0]
    one, two, three = of_kind(block, nn.Conv2d)
    assert (one.out_channels, two.groups, three.bias) == (64, 4, None)
    x = torch.randn(2, 32, 4, 4, generator=seeded())
    h = leaky_relu(conv2d(x, one.weight) + one.bias.view(1, -1, 1, 1), 0.2)
    h = leaky_relu(conv2d(h, two.weight, padding=1, groups=4) + two.bias.view(1, -1, 1, 1), 0.2)
    torch.testing.assert_close(block(x, None), x + conv2d(h, three.weight))


def test_r3gan_starts_as_theirs() -> None:
    """Blocks start as the identity; the others' deviation is gain / sqrt(inputs) of 8 blocks, MSRInitializer's."""
    network = discriminator(32, network="r3gan", width=64)
    blocks = of_kind(network, Residual)
    assert len(blocks) == 8
    gain = math.sqrt(2 / 1.04) * 8 ** (-1 / 4)
    for block in blocks:
        one, two, three = of_kind(block, nn.Conv2d)
        assert float(one.weight.detach().std()) == pytest.approx(gain / 64**0.5, rel=0.05)
        assert float(two.weight.detach().std()) == pytest.approx(gain / (16 * 9) ** 0.5, rel=0.05)
        assert not three.weight.any()
    (basis,) = [layer for layer in of_kind(network, ScaledConv2d) if layer.kernel_size == (4, 4)]
    assert float(basis.weight.detach().std()) == pytest.approx(1 / 4, rel=0.1)
    assert all(not layer.bias.any() for layer in of_kind(network, nn.Conv2d) if layer.bias is not None)


def test_r3gans_generator_is_theirs_from_its_basis_on() -> None:
    """Networks.py, Generator.forward, with the blocks as the identity that they start as: basis, up, 1 x 1."""
    network = generator(16, network="r3gan", width=8)
    x, up = torch.randn(2, 6, generator=seeded()), Resample(up=True)
    basis: Any = network.basis
    h = basis.basis.view(1, -1, 4, 4) * (x @ basis.weigh.weight.T).view(2, -1, 1, 1)
    last = of_kind(network, nn.Conv2d)[-1]
    torch.testing.assert_close(network(x), conv2d(up(up(h)), last.weight).tanh())


@pytest.mark.parametrize(("resolution", "widths"), [(8, [8, 8]), (32, [8] * 4), (64, [8, 8, 8, 8, 4])])
def test_r3gans_widths_are_halved_above_32_pixels(resolution: int, widths: list[int]) -> None:
    """brownvc/R3GAN, train.py: CIFAR10 and FFHQ-64, in twos."""
    found = [
        of_kind(block, nn.Conv2d)[0].in_channels for block in of_kind(generator(resolution, network="r3gan"), Residual)
    ]
    assert found == [width for width in widths for _ in range(2)]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"resolution": 28}, r"data.resolution: found 28; r3gan doubles 4 x 4 pixels, valid: 8, 16, 32, 64, 128, 256"),
        ({"network": "infogan", "resolution": 30}, "data.resolution: found 30; infogan halves it twice, valid: a mul"),
        ({"network": "sndcgan", "resolution": 9}, "data.resolution: found 9; sndcgan halves it, valid: an even"),
        ({"network": "resnet", "resolution": 28, "depth": 3}, "generator.depth: found 3; .* valid: 1, 2"),
    ],
)
def test_a_resolution_that_cannot_be_built_is_refused(changes: dict[str, Any], line: str) -> None:
    given = {"network": "r3gan"} | changes
    resolution = given.pop("resolution")
    spec = FAMILIES[given["network"]].generator.model_validate(given)
    with pytest.raises(ValueError, match=line):
        check_network("generator", spec, "image", resolution)


def test_sndcgan_is_the_papers() -> None:
    """Miyato et al. 2018, table 3, and compare_gan's sndcgan.py: seven convolutions, slope .1; four transposed ones."""
    network = discriminator(32, network="sndcgan", width=64, norm="none")
    found = [(c.out_channels, c.kernel_size[0], c.stride[0]) for c in of_kind(network, nn.Conv2d)]
    widths = (64, 128, 128, 256, 256, 512, 512)
    assert found == [(w, 4 if i % 2 else 3, 2 if i % 2 else 1) for i, w in enumerate(widths)]
    assert {layer.negative_slope for layer in of_kind(network, nn.LeakyReLU)} == {0.1}
    back = generator(32, network="sndcgan", width=64)
    found = [(c.in_channels, c.kernel_size[0], c.stride[0]) for c in of_kind(back, nn.ConvTranspose2d)]
    assert found == [(512, 4, 2), (256, 4, 2), (128, 4, 2), (64, 3, 1)]


def test_infogan_is_the_studys() -> None:
    """google/compare_gan at b8ebb17, abstract_gan.py: sizes of all layers and where batch norm is; leaky relu."""
    network = discriminator(28, network="infogan", width=64, norm="batch")
    assert [tuple(p.shape) for p in network.parameters() if p.dim() > 1] == [
        (64, 3, 4, 4),
        (128, 64, 4, 4),
        (1024, 128 * 49),
        (1, 1024),
    ]
    assert [layer.num_features for layer in of_kind(network, nn.BatchNorm2d) + of_kind(network, nn.BatchNorm1d)] == [
        *(128, 1024)
    ]
    back = generator(28, network="infogan", width=64)
    assert [tuple(p.shape) for p in back.parameters() if p.dim() > 1] == [
        (1024, 6),
        (128 * 49, 1024),
        (128, 64, 4, 4),
        (64, 3, 4, 4),
    ]
    assert {layer.negative_slope for layer in of_kind(back, nn.LeakyReLU)} == {0.2}
    assert len(of_kind(back, nn.BatchNorm1d)) == 2

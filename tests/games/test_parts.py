"""The parts of a game at work: packing, noise that decays, rules after the step, the state of ADA."""

from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline import games
from pipeline.games.game import Facts
from pipeline.games.networks.head import MinibatchDiscrimination
from pipeline.games.networks.layers import Dropout, MinibatchStddev
from pipeline.games.regularisers import squared_norm
from pipeline.training.state import initial
from pipeline.training.step import step
from tests.conformance.test_training import data
from tests.games.test_adversarial import IMAGES, POINTS, make, seeded, some, turn


@pytest.mark.parametrize(("tree", "shape"), [(POINTS, (6,)), (IMAGES, (3, 8, 8))])
def test_a_pack_is_judged_as_one_sample_of_more_channels(tree: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Lin et al. 2018: D sees m samples side by side, and a penalty is on the gradient of all of them together."""
    game = make(tree, game={"packing": 3}, batch_size=6, regularisers={"r1": {"weight": 1.0}})
    real, fake = some(game, tree)
    looked: list[Tensor] = []

    def discriminator(x: Tensor, *_: Any) -> Tensor:
        looked.append(x.detach())
        return (x.flatten(1) * torch.arange(1.0, x[0].numel() + 1)).sum(1)

    losses = game.discriminator_loss(discriminator, turn(game, real, fake, due={"r1": 1.0}))
    assert losses.judged["samples"][0].shape == (2,)
    assert looked[0].shape == (2, *shape)
    torch.testing.assert_close(looked[0], torch.stack([torch.cat(list(real[:3])), torch.cat(list(real[3:]))]))
    of_pack = squared_norm(torch.arange(1.0, looked[0][0].numel() + 1)[None])
    torch.testing.assert_close(losses.terms["r1"], (0.5 * of_pack).expand(2))


def test_instance_noise_decays_to_nothing_over_its_share_of_the_budget() -> None:
    game = make(POINTS, regularisers={"instance_noise": {"sigma": 2.0, "share": 0.5}})  # a budget of 640 images
    real, fake = torch.zeros(4000, 2), torch.zeros(4000, 2)
    deviations = []
    for images in (0, 160, 320, 640):
        losses = game.discriminator_loss(lambda x, *_: x[:, 0], turn(game, real, fake, images=images))
        real_scores, fake_scores = losses.judged["samples"]
        deviations.append(float(real_scores.std()))
        assert float(fake_scores.std()) == pytest.approx(deviations[-1], abs=0.05)
    assert deviations == pytest.approx([2.0, 1.0, 0.0, 0.0], abs=0.05)
    assert deviations[2:] == [0.0, 0.0]


def trained(steps: int, **changes: Any) -> Any:
    from pipeline.schema.trial import TrialSpec

    tree = POINTS | {"device": "cpu", "precision": "fp32", "memory_format": "contiguous", "batch_size": 16} | changes
    state = initial(TrialSpec.model_validate(tree), data(tree["data"]["name"]), seed=1)
    measured = [step(state, state.batches.next(state.randomness), state.randomness) for _ in range(steps)]
    return state, measured


def test_weight_clipping_bounds_every_parameter_of_the_discriminator_alone() -> None:
    state, _ = trained(3, regularisers={"weight_clipping": {"bound": 0.02}})
    largest = [float(p.detach().abs().max()) for p in state.game.discriminator.parameters()]
    assert max(largest) == pytest.approx(0.02)
    assert max(float(p.detach().abs().max()) for p in state.game.generator.parameters()) > 0.1


def test_gradient_clipping_scales_a_long_gradient_and_says_how_long_it_was() -> None:
    """Adam's first moment after one step is (1 - beta1) times the gradient that it was given."""
    (plain, of_plain), (clipped, of_clipped) = (
        trained(1, regularisers=parts) for parts in ({}, {"gradient_clipping": {"norm": 1e-3}})
    )
    assert float(of_plain[0]["discriminator_gradient_norm"]) > 0.01
    torch.testing.assert_close(of_clipped[0]["discriminator_gradient_norm"], of_plain[0]["discriminator_gradient_norm"])

    def given(state: Any, side: str) -> Tensor:
        moments = getattr(state, side).state_dict()["state"].values()
        return torch.cat([moment["exp_avg"].flatten() for moment in moments]) / 0.5

    assert float(given(clipped, "optimiser_d").norm()) == pytest.approx(1e-3, rel=1e-3)
    assert float(given(clipped, "optimiser_g").norm()) <= 1.001e-3
    share = given(clipped, "optimiser_d") / given(clipped, "optimiser_d").norm()
    torch.testing.assert_close(share, given(plain, "optimiser_d") / given(plain, "optimiser_d").norm())


def test_weight_decay_adds_its_share_of_each_weight_to_the_gradient() -> None:
    """L2, as in the published configurations. Adam's first moment after one step is (1 - beta1) times the gradient."""
    start, _ = trained(0)
    moments = []
    for decay in (0.0, 0.25):
        state, _ = trained(1, optimiser={"weight_decay": decay})
        moments.append([moment["exp_avg"] for moment in state.optimiser_d.state_dict()["state"].values()])
    for weight, plain, decayed in zip(start.game.discriminator.parameters(), *moments, strict=True):
        torch.testing.assert_close(decayed - plain, 0.5 * 0.25 * weight.detach(), rtol=1e-4, atol=1e-6)


def test_ada_goes_by_the_signs_of_the_steps() -> None:
    changes = IMAGES | {"augmentation": {"ada": {"target": -0.99, "images": 640, "interval": 2}}}
    state, _ = trained(1, **changes)
    assert float(state.auxiliary["discriminator"]["ada"]["p"]) == 0.0
    assert -1 <= float(state.auxiliary["discriminator"]["ada"]["signs"]) <= 1
    state, _ = trained(6, **changes)
    assert float(state.auxiliary["discriminator"]["ada"]["p"]) == pytest.approx(3 * 2 * 16 / 640)


def test_dropout_in_training_alone_from_the_randomness_it_is_given() -> None:
    layer, x = Dropout(0.25), torch.ones(4000)
    first = layer(x, seeded())
    assert torch.equal(first, layer(x, seeded()))
    assert not torch.equal(first, layer(x, seeded(1)))
    assert sorted(set(first.tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert float((first == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    with pytest.raises(ValueError, match="randomness"):
        layer(x, None)
    assert torch.equal(layer.eval()(x, None), x)


@pytest.mark.parametrize(("count", "group", "size"), [(8, 4, 4), (6, 4, 3), (3, 4, 3), (8, 8, 8), (7, 4, 1)])
@pytest.mark.parametrize("shape", [(5,), (5, 2, 3)])
def test_minibatch_stddev_is_the_papers(count: int, group: int, size: int, shape: tuple[int, ...]) -> None:
    """Karras et al. 2018, sec. 3, in the groups of their code: the deviation of each value over a group, averaged to
    one value, which is a map more of each of the group's samples."""
    x = torch.randn(count, *shape, generator=seeded())
    out = MinibatchStddev(group)(x)
    assert out.shape == (count, 6, *shape[1:])
    assert torch.equal(out[:, :5], x)
    groups = count // size
    for first in range(groups):
        members = x[first::groups]
        assert len(members) == size
        expected = members.flatten(1).var(0, unbiased=False).add(1e-8).sqrt().mean()
        torch.testing.assert_close(out[first::groups, 5], expected.expand(size, *shape[1:]))


@pytest.mark.parametrize("tree", [POINTS, IMAGES])
def test_minibatch_stddev_is_before_the_last_block(tree: dict[str, Any]) -> None:
    """The last block is told how unlike its group a sample is: of equal samples D says what it says of each alone."""
    game = make(tree, discriminator=tree["discriminator"] | {"minibatch": "stddev", "norm": "none"})
    blocks: list[list[Any]] = game.discriminator.blocks()  # type: ignore[operator]
    assert isinstance(blocks[-1][0], MinibatchStddev)
    sizes = [tuple(layer.weight.shape[:2]) for block in blocks for layer in block if hasattr(layer, "weight")]
    assert sizes == ([(8, 2), (8, 9)] if tree is POINTS else [(4, 1), (8, 5)])
    x = torch.randn(4, *((2,) if tree is POINTS else (1, 8, 8)), generator=seeded())
    apart, alike = (game.discriminator(each)[:1].detach() for each in (x, x[:1].expand_as(x)))
    torch.testing.assert_close(game.discriminator(x[:1]).detach(), alike)
    assert not torch.allclose(apart, alike)


def test_minibatch_discrimination_is_the_papers() -> None:
    """Salimans et al. 2016, sec. 3.2: o(x_i)_b = sum over j of exp(-|M_ib - M_jb|_1), the sample itself left out."""
    layer, features = MinibatchDiscrimination(4), 0.1 * torch.randn(3, 4, generator=seeded())
    out, m = layer(features), layer.project(features).view(3, 100, 5)
    for i in range(3):
        for b in (0, 50, 99):
            expected = sum(torch.exp(-sum(abs(m[i, b, c] - m[j, b, c]) for c in range(5))) for j in range(3) if j != i)
            torch.testing.assert_close(out[i, 4 + b], expected)
    assert torch.equal(out[:, :4], features)


def test_a_game_needs_pixels_to_augment() -> None:
    from pipeline.errors import InputError
    from pipeline.schema.trial import TrialSpec

    tree = POINTS | {"data": {"name": "mine.py:points"}, "augmentation": {"ada": {}}}
    with pytest.raises(InputError, match=r"augmentation.ada: found it; .* is points, valid: without it"):
        games.build(TrialSpec.model_validate(tree), Facts("points", (2,)), 1)

"""Classes as a condition: what each kind of discriminator sees of them, and what the generator is fed."""

import itertools
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn

from pipeline import games
from pipeline.errors import InputError
from pipeline.games.game import Draw, Facts
from pipeline.games.networks.head import Head
from pipeline.games.networks.layers import ConditionalBatchNorm
from pipeline.schema.trial import TrialSpec
from pipeline.training.making import labels_like
from tests.games.families import FAMILIES, FREE
from tests.games.test_adversarial import IMAGES, generated, make, seeded, turn

KINDS = ("concatenation", "projection", "auxiliary_classifier")


def condition(kind: str, **changes: Any) -> dict[str, Any]:
    return {"game": {"condition": {"kind": kind} | changes}}


def test_the_generator_is_fed_the_latent_and_the_class_of_the_real_beside_it() -> None:
    game = make(IMAGES, **condition("projection"))
    inputs = game.inputs(3, seeded(), {"real": torch.zeros(3, 1, 8, 8), "label": torch.tensor([1, 0, 1])})
    fed: list[torch.Tensor] = []
    game.generate(lambda x: (fed.append(x), game.generator(x))[1], inputs, Draw(seeded()))
    assert fed[0][:, 3:].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert torch.equal(fed[0][:, :3], torch.randn(3, 3, generator=seeded()))


def test_classes_are_drawn_as_often_as_the_training_data_has_them() -> None:
    found = Counter(labels_like(make(IMAGES, **condition("projection")).classes, 4000, seeded()).tolist())  # 3 to 1
    assert found[0] / 4000 == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    ("network", "norm"), [*itertools.product(FREE, ("none", "conditional_batch")), ("r3gan", None), ("stylegan2", None)]
)
def test_the_class_changes_the_sample(network: str, norm: str | None) -> None:
    generator = {"network": network, "width": 8} | ({"norm": norm, "init": "kaiming"} if norm else {})
    game = make(IMAGES, generator=generator, **condition("projection"))
    z = torch.randn(4, 3, generator=seeded())
    one, other = (generated(game, {"latent": z, "label": torch.full((4,), label)}).detach() for label in (0, 1))
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", FAMILIES)
def test_the_score_is_of_a_sample_and_its_class(kind: str, network: str) -> None:
    discriminator = {"network": network, "width": 8, "norm": "none"}
    discriminator |= {"init": "kaiming"} if network in FREE else {}
    game = make(IMAGES, discriminator=discriminator, **condition(kind))
    x, classes = torch.randn(4, 1, 8, 8, generator=seeded()), torch.eye(2)
    said = [game.discriminator(x, classes[[label] * 4], None) for label in (0, 1)]
    if kind == "auxiliary_classifier":
        (scores, logits), (others, _) = said
        assert logits.shape == (4, 2)
        assert torch.equal(scores, others)  # it tells the class, and is not told it
    else:
        assert (said[0] - said[1]).abs().max() > 1e-3


def test_the_projection_is_the_papers() -> None:
    """Miyato and Koyama 2018, eq. 3: y' V phi(x) + psi(phi(x))."""
    head, features = Head(5, "none", "projection", 3), torch.randn(4, 5, generator=seeded())
    y = torch.eye(3)[[2, 0, 1, 2]]
    assert head.embed is not None
    expected = torch.stack([y[i] @ head.embed.weight.T @ features[i] for i in range(4)]) + head.score(features)[:, 0]
    torch.testing.assert_close(head(features, y), expected)


@pytest.mark.parametrize("weight", [None, 0.3])
def test_the_auxiliary_classifier_is_the_papers(weight: float | None) -> None:
    """Odena et al. 2017, eq. 3: -log p(c | real) - log p(c | fake) for D, the second for G, times the weight."""
    game = make(IMAGES, **condition("auxiliary_classifier", weight=weight))
    labels = torch.tensor([0, 1, 1, 0])
    real = torch.randn(4, 1, 8, 8, generator=seeded(5))
    inputs = {"latent": torch.randn(4, 3, generator=seeded(6)), "label": labels}
    fake = generated(game, inputs)
    at = turn(game, real, fake, inputs=inputs)
    of_d = game.discriminator_loss(game.discriminator, at).terms["classifier"]
    of_g = game.generator_loss(game.generator, game.discriminator, at).terms["classifier"]
    logs = [game.discriminator(x, torch.eye(2)[labels], None)[1].softmax(1).log() for x in (real, fake)]
    of_real, of_fake = (-torch.stack([log[i, labels[i]] for i in range(4)]) for log in logs)
    torch.testing.assert_close(of_d, (weight or 1.0) * (of_real + of_fake))
    torch.testing.assert_close(of_g, (weight or 1.0) * of_fake)


@pytest.mark.parametrize("flat", [True, False])
def test_conditional_batch_norm_has_a_gain_and_a_bias_of_each_class(flat: bool) -> None:
    layer = ConditionalBatchNorm(3, 2, flat)
    nn.init.normal_(layer.gain.weight, generator=seeded(1))
    nn.init.normal_(layer.bias.weight, generator=seeded(2))
    x = torch.randn((6, 3) if flat else (6, 3, 4, 4), generator=seeded())
    labels = torch.tensor([0, 1, 1, 0, 0, 1])
    axes = (0,) if flat else (0, 2, 3)
    normed = (x - x.mean(axes, keepdim=True)) / (x.var(axes, keepdim=True, unbiased=False) + 1e-5).sqrt()
    out = layer(x, torch.eye(2)[labels])
    for i, label in enumerate(labels.tolist()):
        for c in range(3):
            expected = normed[i, c] * (1 + layer.gain.weight[c, label]) + layer.bias.weight[c, label]
            torch.testing.assert_close(out[i, c], expected)


def test_mode_seeking_compares_two_samples_of_one_class() -> None:
    game = make(IMAGES, regularisers={"mode_seeking": {}}, **condition("projection"))
    fed: list[torch.Tensor] = []
    real = torch.randn(4, 1, 8, 8, generator=seeded())
    inputs = {"latent": torch.randn(4, 3, generator=seeded(6)), "label": torch.tensor([0, 1, 1, 0])}
    at = turn(game, real, generated(game, inputs), inputs=inputs)
    game.generator_loss(lambda x: (fed.append(x), game.generator(x))[1], game.discriminator, at)
    assert fed[0][:, 3:].argmax(1).tolist() == [0, 1, 1, 0]
    assert not torch.equal(fed[0][:, :3], inputs["latent"])


def test_a_condition_on_data_without_labels_is_refused() -> None:
    tree = IMAGES | {"data": {"name": "imagefolder:photos", "resolution": 8}} | condition("projection")
    with pytest.raises(InputError, match=r"game.condition: found projection; .*photos has no labels"):
        games.build(TrialSpec.model_validate(tree), Facts("image", (1, 8, 8)), 1)


def test_scores_are_float32_under_autocast() -> None:
    """Differences of 0.1 beside a score of 300, which bfloat16 would round to multiples of 2."""
    head, features = Head(1, "none", None, 0), torch.linspace(0, 1, 11)[:, None]
    with torch.no_grad():
        head.score.weight.fill_(1.0)
        head.score.bias.fill_(300.0)
    with torch.autocast("cpu", torch.bfloat16):
        scores = head(features, None)
    assert isinstance(scores, torch.Tensor)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.detach(), 300 + features[:, 0])

"""Every preset at toy size: each point that it names as known-good, and drawn ones, trains and stays finite."""

from __future__ import annotations

import dataclasses
import math
import random
import re
from typing import Any

import pytest
import torch

from pipeline.data.dataset import Dataset
from pipeline.errors import InputError
from pipeline.schema.base import parse
from pipeline.schema.residual import ResnetDiscriminatorSpec, ResnetSpec
from pipeline.schema.schedule import value_at
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.space.distributions import Choice, Range
from pipeline.space.load import load, presets
from pipeline.space.tree import Parameter
from pipeline.training.state import initial
from pipeline.training.step import step
from tests.conformance.test_training import copied, data

STEPS, DRAWN = 2, 5
SHAPES = {"fashion_mnist": (1, 28), "mnist": (1, 28), "cifar10": (3, 32), "stacked_mnist": (3, 28)}


def toy(tree: dict[str, Any]) -> TrialSpec:
    """The same configuration with narrow networks and few images."""
    for side in ("generator", "discriminator"):
        tree[side] = tree[side] | {"width": 4}
    small = {"batch_size": 16, "budget": {"images": 16 * STEPS}, "evaluation": {"every": 16}}
    return resolve(parse(TrialSpec, tree | small, "toy"), cuda=False)


def dataset(name: str, resolution: int | None) -> Dataset:
    """The data set, or noise of its shape for those that are downloaded; resolution None: its own."""
    if name not in SHAPES:
        return data(name)
    channels, side = SHAPES[name][0], resolution or SHAPES[name][1]
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, channels, side, side), dtype=torch.uint8, generator=draw)
    labels = torch.arange(64) % 10
    return dataclasses.replace(
        data("digits"), name=name, train=images, train_labels=labels, channels=channels, resolution=side
    )


@pytest.mark.parametrize("name", presets())
def test_every_preset_trains_at_toy_size(name: str) -> None:
    file, draw = load(name), random.Random(name)

    def drawn(parameter: Parameter) -> Any:
        ends = parameter.distribution.ends
        return draw.choice(ends) if isinstance(parameter.distribution, Choice) else ends[draw.randrange(2)]

    trees = [file.space.fixed(point)[1] for point in file.known_good]
    trees += [file.space.realise(drawn)[1] for _ in range(DRAWN)]
    for number, tree in enumerate(trees):
        spec = toy(tree)
        state = initial(spec, dataset(spec.data.name, spec.data.resolution), seed=number)
        before = copied(state.tensors())
        for _ in range(STEPS * spec.optimiser.discriminator_steps):
            measured = step(state, state.batches.next(state.randomness), state.randomness)
            good = all(bool(value.isfinite()) for value in measured.values())
            assert good or number >= len(file.known_good)  # the ends of published ranges may blow up: a find
        for side in ("generator", "discriminator"):
            after = state.tensors()[side]
            assert any(not torch.equal(value, after[key]) for key, value in before[side].items())


@pytest.mark.parametrize("name", presets())
def test_every_preset_says_where_its_numbers_come_from(name: str) -> None:
    text = presets()[name].read_text()
    assert "\n# " in text or "\n  # " in text
    assert re.search(r"et al\. 20\d\d", text)
    found = load(name).notices
    assert not [notice for notice in found for known in ("lazily", "lecam.start", "ada.images") if known in notice]


def sampled(name: str, count: int = 300) -> list[TrialSpec]:
    """Configurations drawn at random over the whole of a preset's space."""
    space, draw = load(name).space, random.Random(name)

    def drawn(parameter: Parameter) -> Any:
        kind = parameter.distribution
        if isinstance(kind, Choice):
            return draw.choice(kind.options)
        assert isinstance(kind, Range)
        if kind.whole:
            return draw.randint(int(kind.low), int(kind.high))
        share = draw.random()
        value = kind.low * (kind.high / kind.low) ** share if kind.log else kind.low + share * (kind.high - kind.low)
        return min(max(value, kind.low), kind.high)

    return [parse(TrialSpec, space.realise(drawn)[1], name) for _ in range(count)]


def test_no_preset_has_a_wasserstein_critic_without_a_bound() -> None:
    """Its loss has no least value then (Arjovsky et al. 2017, sec. 3)."""
    critics = {name: [spec for spec in sampled(name) if spec.game.objective == "wasserstein"] for name in presets()}
    assert {name for name, found in critics.items() if found} == {
        *(
            "digits",
            "ring8",
            "grid25",
            "kurach",
            "broad",
            "lucic_wide",
            "lucic_narrow",
            "wgan",
            "wgan_gp",
            "progressive",
        )
    }
    for found in critics.values():
        for spec in found:
            parts = spec.regularisers
            kept = parts.wgan_gp or parts.weight_clipping or parts.dragan
            assert kept or spec.discriminator.norm == "spectral"
            assert spec.bounded


@pytest.mark.parametrize("name", presets())
def test_every_average_comes_to_its_half_life(name: str) -> None:
    for spec in sampled(name, 20):
        if spec.ema.half_life and spec.ema.ramp is not None:
            assert spec.ema.half_life <= spec.ema.ramp * spec.budget.images


def known_good(name: str) -> list[TrialSpec]:
    file = load(name)
    return [parse(TrialSpec, file.space.fixed(point)[1], name) for point in file.known_good]


def test_kurachs_points_are_in_their_table() -> None:
    """google/compare_gan at b8ebb17, src/generate_tasks_lib.py, BestModelSNDCGan: the lines for CIFAR-10, as (lr, norm,
    weight of the gradient penalty); beta1 .5, beta2 .999, one step of D, batch 64, uniform latents of 128 in all."""
    table = {(1e-4, "none", 0), (2e-4, "none", 0), (2e-4, "spectral", 0), (1e-4, "spectral", 0), (2e-4, "spectral", 10)}
    found = known_good("kurach")
    assert found[0].optimiser.rates == (2e-4, 2e-4)  # the best of them first
    for spec in found:
        penalty = spec.regularisers.wgan_gp.weight if spec.regularisers.wgan_gp else 0
        assert (spec.optimiser.lr_g, spec.discriminator.norm, penalty) in table
        assert (spec.optimiser.beta1, spec.optimiser.beta2, spec.optimiser.discriminator_steps) == (0.5, 0.999, 1)
        assert (spec.latent.distribution, spec.latent.size, spec.batch_size) == ("uniform", 128, 64)
        assert spec.game.objective == "non_saturating"
    assert len({spec.model_dump_json() for spec in found}) == len(found) == 4


@pytest.mark.parametrize("name", ["r3gan", "stacked_mnist"])
def test_relativistic_points_have_no_norm_and_r3gans_betas(name: str) -> None:
    """Huang et al. 2024: no norm on either side, beta1 0, beta2 from .9 to .99, one weight at every step."""
    found = [spec for spec in sampled(name) if spec.game.objective.startswith("relativistic")]
    for spec in found + [each for each in known_good(name) if each.game.objective == "relativistic"]:
        assert (spec.generator.norm, spec.discriminator.norm) == ("none", "none")
        assert spec.optimiser.beta1 == 0
        beta2 = spec.optimiser.beta2
        assert ((beta2.start, beta2.end) == (0.9, 0.99)) if name == "r3gan" else (beta2 in (0.9, 0.99))
        assert spec.regularisers.r1 is not None
        assert spec.regularisers.r2 is not None
        assert spec.regularisers.r1.interval == spec.regularisers.r2.interval == 1


def test_r3gans_schedules_are_its_codes() -> None:
    """brownvc/R3GAN, train.py, CIFAR10, by its own cosine of training_loop.py, over all images: rate 2e-4 to 5e-5,
    gamma .05 to .005, beta2 .9 to .99, the average's half-life 0 to a quarter of all images, augmentation 0 to .55."""
    (spec,) = known_good("r3gan")
    assert spec.regularisers.r1 is not None
    assert spec.regularisers.r2 is not None
    assert spec.augmentation.ada is not None
    assert spec.ema.ramp is None
    total = spec.budget.images

    def theirs(start: float, end: float, share: float) -> float:
        return start + (1 - 0.5 * (1 + math.cos(math.pi * share))) * (end - start)

    for share in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        found = (
            *(spec.optimiser.rates[0] * spec.optimiser.factor(share), spec.optimiser.of("discriminator", share)[1][1]),
            *(value_at(part.weight, share) for part in (spec.regularisers.r1, spec.regularisers.r2)),
            *(value_at(spec.ema.half_life, share), value_at(spec.augmentation.ada.probability or 0.0, share)),
        )
        ends = ((2e-4, 5e-5), (0.9, 0.99), (0.05, 0.005), (0.05, 0.005), (0.0, total / 4), (0.0, 0.55))
        assert found == pytest.approx([theirs(*each, share) for each in ends])


def test_progressive_growing_starts_from_the_published_settings() -> None:
    """tkarras/progressive_growing_of_gans, config.py of both versions, and Karras et al. 2018, app. A.1."""
    (spec,) = known_good("progressive")
    parts, optimiser = spec.regularisers, spec.optimiser
    assert parts.wgan_gp is not None
    assert parts.drift is not None
    assert (parts.wgan_gp.weight, parts.drift.weight, spec.game.objective) == (10, 0.001, "wasserstein")
    assert (optimiser.rates, optimiser.beta1, optimiser.beta2) == ((1e-3, 1e-3), 0, 0.99)
    assert (spec.batch_size, optimiser.discriminator_steps, spec.discriminator.minibatch) == (16, 1, "stddev")
    assert spec.game.growth is not None
    assert (spec.game.growth.fade, spec.game.growth.start) == (0.5, None)


def test_sndcgans_points_are_the_settings_of_the_papers_table() -> None:
    """Miyato et al. 2018, table 1, A to F as (alpha, beta1, beta2, n_dis); C first; and table 3's networks."""
    table = {
        "A": (1e-4, 0.5, 0.9, 5),
        "B": (1e-4, 0.5, 0.999, 1),
        "C": (2e-4, 0.5, 0.999, 1),
        "D": (1e-3, 0.5, 0.9, 5),
        "E": (1e-3, 0.5, 0.999, 5),
        "F": (1e-3, 0.9, 0.999, 5),
    }
    points = known_good("sndcgan")
    found = [(s.optimiser.lr_g, s.optimiser.beta1, s.optimiser.beta2, s.optimiser.discriminator_steps) for s in points]
    assert found == [table[letter] for letter in "CBADEF"]
    for spec in points:
        assert spec.optimiser.rates[0] == spec.optimiser.rates[1]
        assert (spec.generator.network, spec.discriminator.network) == ("sndcgan", "sndcgan")
        assert (spec.generator.norm, spec.discriminator.norm) == ("batch", "spectral")
        assert (spec.latent.distribution, spec.latent.size, spec.batch_size) == ("gaussian", 128, 64)
        assert (spec.game.objective, spec.ema.half_life) == ("non_saturating", 0)


def test_sngans_first_point_is_its_codes() -> None:
    """pfnet-research/sngan_projection, configs/sn_cifar10_unconditional.yml, with the networks that it names."""
    spec, optimiser = known_good("sngan")[0], known_good("sngan")[0].optimiser
    assert (optimiser.rates, optimiser.beta1, optimiser.beta2) == ((2e-4, 2e-4), 0, 0.9)
    assert (optimiser.discriminator_steps, spec.batch_size, spec.game.objective) == (5, 64, "hinge")
    assert (optimiser.factor(0.0), optimiser.factor(0.5), optimiser.factor(1.0)) == (1, 0.5, 0)
    assert isinstance(spec.generator, ResnetSpec)
    assert isinstance(spec.discriminator, ResnetDiscriminatorSpec)
    assert (spec.generator.widths(32), spec.generator.norm) == ([256] * 3, "batch")
    assert (spec.discriminator.widths(32), spec.discriminator.kept(32)) == ([128] * 2, 2)
    assert (spec.discriminator.norm, spec.latent.size) == ("spectral", 128)


def test_small_biggans_first_point_is_its_codes() -> None:
    """ajbrock/BigGAN-PyTorch, scripts/launch_cifar_ema.sh, and the defaults of its utils.py and BigGAN.py at 32."""
    spec, optimiser = known_good("biggan_small")[0], known_good("biggan_small")[0].optimiser
    assert (optimiser.rates, optimiser.beta1, optimiser.beta2) == ((2e-4, 2e-4), 0, 0.999)
    assert (optimiser.discriminator_steps, spec.batch_size, spec.game.objective) == (4, 50, "hinge")
    assert spec.game.condition is not None
    assert spec.game.condition.kind == "projection"
    assert isinstance(spec.generator, ResnetSpec)
    assert isinstance(spec.discriminator, ResnetDiscriminatorSpec)
    assert (spec.generator.widths(32), spec.generator.norm) == ([4 * 64] * 3, "conditional_batch")
    assert (spec.discriminator.widths(32), spec.discriminator.norm) == ([4 * 64] * 2, "spectral")
    assert (spec.generator.attention, spec.generator.skip_latent, spec.generator.init) == (None, False, "normal")
    share = spec.ema.half_life / spec.budget.images
    assert share == pytest.approx(math.log(2) / 1e-4 * 4 * 50 / (500 * 50_000), rel=0.1)  # .9999 an iteration


def test_two_rates_are_searched_as_one_and_their_ratio() -> None:
    """BigGAN's two rates in `conditional`: 1e-4 and 4e-4."""
    assert known_good("conditional")[1].optimiser.rates == (1e-4, 4e-4)
    for name in ("broad", "fashion_mnist", "conditional", "augmentation", "dcgan", "ring8", "grid25"):
        keys = [parameter.key for parameter in load(name).space.parameters()]
        assert "optimiser.lr_ratio" in keys
        assert "optimiser.lr_d" not in keys
        assert load(name, ["optimiser.lr_ratio=null", "optimiser.lr_d=1e-4"]).known_good
        with pytest.raises(InputError, match="optimiser: found lr_d and lr_ratio; valid: one of them"):
            load(name, ["optimiser.lr_d=1e-4"])


def test_the_presets_for_the_published_searches_are_there() -> None:
    published = {"lucic_wide", "lucic_narrow", "kurach", "dcgan", "wgan", "wgan_gp", "r3gan", "progressive"}
    published |= {"cyclegan", "pix2pix", "super_resolution", "stylegan2", "stylegan2_ada"}
    published |= {"sngan", "sndcgan", "biggan_small"}
    assert (
        published | {"conditional", "augmentation", "stacked_mnist", "broad", "ring8", "grid25", "digits"}
        <= presets().keys()
    )


def test_limited_data_trains_on_the_first_samples_alone() -> None:
    _, tree = load("augmentation").space.fixed(load("augmentation").known_good[0])
    tree["data"] = {"name": "digits", "limit": 50}
    tree["generator"] |= {"depth": 2}
    state = initial(toy(tree), data("digits"), seed=0)
    assert len(state.batches.domains["real"].samples) == 50
    assert sum(state.facts.classes) == 50

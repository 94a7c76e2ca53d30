"""Super-resolution: its small images, its losses, what it is measured by, and what a cut run goes on with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d

from pipeline.conformance.checks import conform
from pipeline.data.batches import to_float
from pipeline.data.reducing import enlarged, reduced
from pipeline.errors import InputError
from pipeline.games.game import Draw, Facts, Progress, Turn
from pipeline.games.networks import build_generator
from pipeline.metrics.content import content_of
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.metrics.features import open_extractor
from pipeline.metrics.own import Evaluated
from pipeline.metrics.partners import l1, psnr, ssim
from pipeline.record.measurement import Measurement
from pipeline.schema.base import parse
from pipeline.schema.enlargers import SrresnetSpec
from pipeline.schema.trial import LowSpec, TrialSpec, resolve
from pipeline.space.load import load
from pipeline.training.loop import Task, training
from pipeline.training.state import initial
from pipeline.training.step import step
from pipeline.training.store import Store
from tests.training.toy import facts, last_state, same

BATCH = 8


def spec(game: dict[str, Any] | None = None, **changes: Any) -> TrialSpec:
    tree = {
        "data": {"name": "digits", "resolution": 16, "low": {"factor": 2}},
        "budget": {"images": 320},
        "evaluation": {"every": 80, "samples": 64, "features": "random", "grid": 4},
        "game": {"name": "super_resolution", "content_only": 0.5, **(game or {})},
        "generator": {"network": "srresnet", "width": 8, "blocks": 1},
        "discriminator": {"network": "dcgan", "width": 4},
        "optimiser": {"lr_g": 2e-3},
        "batch_size": BATCH,
        "ema": {"half_life": 50.0},
    }
    return resolve(parse(TrialSpec, tree | changes, "t.yaml"), cuda=False)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return Evaluator.open(spec().data, Asked(64, features="random"), tmp_path_factory.mktemp("cache"), None, "cpu")


def trained(content_in: str, evaluator: Evaluator, folder: Path) -> list[Measurement]:
    task = Task(spec({"content_in": content_in}), 1, "fid")
    return list(training(task, evaluator, Store(folder)))


@pytest.fixture(scope="module")
def whole(evaluator: Evaluator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Measurement]]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, trained("pixels", evaluator, folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"game": {"content_only": 0.0}},
        {
            "game": {"content": "l1", "objective": "relativistic", "content_only": 0.0},
            "discriminator": {"norm": "none"},
        },
        {"data": {"factor": 4, "filter": "area"}, "generator": {"norm": "none", "residual_scale": 0.1}},
        {"game": {"content_in": "random"}},
    ],
)
def test_it_conforms(changes: dict[str, Any]) -> None:
    plain = spec().model_dump(mode="json")
    sides = {side: plain[side] | changes.get(side, {}) for side in ("generator", "discriminator")}
    data = {"name": "digits", "resolution": 16, "low": changes.get("data", {"factor": 2})}
    assert [check.wrong for check in conform(spec(changes.get("game"), data=data, **sides))] == [None] * 7


@pytest.mark.parametrize("how", ["bicubic", "area"])
@pytest.mark.parametrize("factor", [2, 4])
def test_small_images_are_made_with_antialias(how: Any, factor: Any) -> None:
    """A fine checkerboard becomes its mean, and a flat image stays flat; area takes the mean of each square."""
    low = LowSpec(factor=factor, filter=how)
    board = torch.ones(1, 1, 32, 32)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = -1
    inner = reduced(board, low)[..., 2:-2, 2:-2]
    assert float(inner.abs().max()) < 0.05
    flat = torch.full((1, 3, 32, 32), 0.25)
    assert torch.allclose(reduced(flat, low), torch.tensor(0.25), atol=1e-6)
    assert torch.allclose(enlarged(reduced(flat, low), factor), flat, atol=1e-6)
    noise = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    squares = noise.unflatten(3, (-1, factor)).unflatten(2, (-1, factor)).mean((3, 5))
    assert torch.allclose(reduced(noise, low), squares, atol=1e-6) == (how == "area")


@pytest.mark.parametrize("factor", [2, 4])
def test_the_generator_enlarges_images_of_any_size(factor: int) -> None:
    made = SrresnetSpec(network="srresnet", width=4, blocks=2, norm="none")
    network = build_generator(made, factor, Facts("image", (3, 32, 32)), seed=1)
    found = network(torch.zeros(1, 3, 5, 9))
    assert found.shape == (1, 3, 5 * factor, 9 * factor)
    shuffles = [layer for layer in network.modules() if isinstance(layer, torch.nn.PixelShuffle)]
    assert len(shuffles) == {2: 1, 4: 2}[factor]


def turn_of(made: TrialSpec, evaluator: Evaluator, share: float) -> tuple[Any, Turn]:
    content = content_of(made, evaluator.dataset, evaluator.cache)
    state, randomness = initial(made, evaluator.dataset, 1, content=content), torch.Generator().manual_seed(0)
    batch = state.batches.next(randomness)
    inputs = state.game.inputs(BATCH, randomness, batch)
    fake = state.game.generate(state.game.generator, inputs, Draw(randomness))
    return state.game, Turn(batch, inputs, fake, randomness, progress=Progress(0, int(share * 100), 100))


@pytest.mark.parametrize(("content", "expected"), [("l1", 0.1), ("l2", 0.01)])
def test_the_content_is_the_distance_to_the_original(content: str, expected: float, evaluator: Evaluator) -> None:
    game, turn = turn_of(spec({"content": content}), evaluator, 0.0)
    off = dataclasses.replace(turn, fake=turn.real + 0.1)
    terms = game.generator_loss(game.generator, game.discriminator, off).terms
    assert torch.allclose(terms["content"], torch.full((BATCH,), expected), atol=1e-5)
    met = dataclasses.replace(turn, fake=turn.real)
    assert game.generator_loss(game.generator, game.discriminator, met).terms["content"].tolist() == [0.0] * BATCH


@pytest.mark.parametrize(("content", "power"), [("l1", 1), ("l2", 2)])
def test_the_content_in_features_is_the_distance_between_scaled_maps(
    content: str, power: int, evaluator: Evaluator
) -> None:
    """Ledig et al. 2017, eq. 5, on the convolutions written out; the scale is the maps' own over training images."""
    made = spec({"content": content, "content_in": "random"})
    game, turn = turn_of(made, evaluator, 0.0)
    weights = open_extractor(evaluator.dataset, evaluator.cache, features="random").network.state_dict()

    def maps(x: Tensor) -> Tensor:
        x = conv2d(x, weights["body.0.weight"], weights["body.0.bias"], padding=1).relu()
        x = conv2d(x, weights["body.2.weight"], weights["body.2.bias"], 2, padding=1).relu()
        assert x.shape[1:] == (64, 8, 8)
        return x

    scale = maps(to_float(evaluator.dataset.train[:1024])).square().mean().sqrt()
    expected = ((maps(turn.fakes) - maps(turn.real)) / scale).abs().pow(power).flatten(1).mean(1)
    terms = game.generator_loss(game.generator, game.discriminator, turn).terms
    assert torch.allclose(terms["content"], expected, rtol=1e-4)
    met = dataclasses.replace(turn, fake=turn.real)
    assert game.generator_loss(game.generator, game.discriminator, met).terms["content"].tolist() == [0.0] * BATCH


def test_what_the_content_is_measured_in_is_never_trained(evaluator: Evaluator) -> None:
    made = spec({"content_in": "random"})
    content = content_of(made, evaluator.dataset, evaluator.cache)
    assert content is not None
    before = {name: value.clone() for name, value in content.state_dict().items()}
    state = initial(made, evaluator.dataset, 1, content=content)
    step(state, state.batches.next(state.randomness), state.randomness)
    assert all(torch.equal(value, before[name]) for name, value in content.state_dict().items())
    assert not [key for key in state.tensors()["generator"] if "network" in key]
    assert content_of(spec(), evaluator.dataset, evaluator.cache) is None


def test_features_that_fid_is_measured_in_as_well_are_said() -> None:
    told = [load("super_resolution", [f"game.content_in={name}"]).notices for name in ("classifier", "self_supervised")]
    assert [sum("game.content_in: classifier, in which fid" in line for line in lines) for lines in told] == [1, 0]


def test_features_of_labels_are_asked_of_labelled_data_alone() -> None:
    made = spec({"content_in": "classifier"})
    made.check_data("image", 16, True)
    with pytest.raises(ValueError, match=r"game.content_in: found classifier; digits has no labels, valid: pixels"):
        made.check_data("image", 16, False)


def test_the_adversarial_term_begins_after_the_content_alone(evaluator: Evaluator) -> None:
    """And counts its weight of -log D(fake)."""
    game, turn = turn_of(spec({"adversarial_weight": 0.5}), evaluator, 0.49)
    assert list(game.generator_loss(game.generator, game.discriminator, turn).terms) == ["content"]
    later = dataclasses.replace(turn, progress=Progress(0, 50, 100))
    terms = game.generator_loss(game.generator, game.discriminator, later).terms
    scores = game.discriminator(turn.fakes, None, turn.randomness)
    assert torch.allclose(terms["adversarial"], 0.5 * torch.nn.functional.softplus(-scores), atol=1e-5)


def test_metrics_beside_the_original_at_known_distances() -> None:
    real = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
    seen = Evaluated(real + 0.2, real, real.flatten(1), real.flatten(1))
    assert psnr(seen) == pytest.approx(20.0, abs=1e-3)  # 10 log10(2^2 / 0.2^2)
    assert l1(seen) == pytest.approx(0.2, abs=1e-6)
    assert ssim(dataclasses.replace(seen, samples=real)) == pytest.approx(1.0, abs=1e-5)
    one, other = torch.full_like(real, 0.4), torch.full_like(real, 0.2)
    flat = dataclasses.replace(seen, samples=one, real=other)
    assert ssim(flat) == pytest.approx((2 * 0.08 + 4e-4) / (0.2 + 4e-4), abs=1e-4)  # Wang et al. 2004, eq. 6, C1 4e-4


def test_what_is_made_is_measured_beside_bicubic(evaluator: Evaluator, whole: tuple[Path, list[Measurement]]) -> None:
    """The baseline is the same at every evaluation, and what it says is what evaluating such images would."""
    folder, found = whole
    real = evaluator.dataset.validation[:64].float() / 127.5 - 1
    made = enlarged(reduced(real, LowSpec(factor=2)), 2)
    plain = evaluator.evaluate(made).metrics
    for name in ("fid", "psnr", "ssim"):
        assert {m.metrics[f"bicubic_{name}"] for m in found} == {plain[f"bicubic_{name}"]}
        assert plain[name] == pytest.approx(plain[f"bicubic_{name}"], rel=1e-3)
    assert found[-1].metrics["psnr"] > found[0].metrics["psnr"]
    with Image.open(folder / found[-1].samples) as picture:
        assert picture.height > picture.width / 2


@pytest.mark.parametrize(("content_in", "evaluations"), [("pixels", 1), ("pixels", 3), ("random", 3)])
def test_a_run_that_is_cut_goes_on_to_the_bit(
    content_in: str, evaluations: int, evaluator: Evaluator, whole: tuple[Path, list[Measurement]], tmp_path: Path
) -> None:
    """In the middle of the phase of the content alone, and behind it."""
    folder, found = whole
    if content_in != "pixels":
        folder = tmp_path / "whole"
        found = trained(content_in, evaluator, folder)
    cut = training(Task(spec({"content_in": content_in}), 1, "fid"), evaluator, Store(tmp_path / "cut"))
    for _ in range(evaluations):
        next(cut)
    again = [facts(m) for m in trained(content_in, evaluator, tmp_path / "cut")]
    assert again == [facts(m) for m in found[evaluations - 1 :]]
    assert same(last_state(tmp_path / "cut"), last_state(folder))


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        (
            {"data": {"name": "digits", "resolution": 18, "low": {"factor": 4}}},
            "data.low.factor: found 4 on images of 18 pixels a side; valid: one that divides them down to 4 or more",
        ),
        ({"data": {"name": "digits", "low": {"factor": 4}}}, "found 4 on images of 8 pixels a side"),
        ({"data": {"name": "digits", "low": {"factor": 3}}}, "data.low.factor: "),
        ({"data": {"name": "digits"}}, r"data.low: missing; game.name super_resolution needs it, valid: \{factor: 2"),
        ({"game": {}, "generator": {"network": "dcgan"}}, "data.low: found it with game.name adversarial"),
        (
            {"data": {"name": "digit_styles", "low": {}}},
            "data.name: found digit_styles, of two domains, with game.name",
        ),
        (
            {"data": {"name": "ring8", "low": {}}, "evaluation": {"every": 80}},
            "data.low.factor: found 4 on points",
        ),
        ({"generator": {"network": "dcgan"}}, "generator.network: found dcgan with game.name super_resolution"),
        ({"discriminator": {"network": "cyclegan"}}, "discriminator.network: found cyclegan .*; valid: mlp, dcgan"),
        ({"regularisers": {"r1": {}}}, "regularisers.r1: found it with game.name super_resolution"),
        ({"game": {"name": "super_resolution", "condition": {"kind": "projection"}}}, "game.condition: unknown key"),
        ({"game": {"name": "super_resolution", "content": "vgg"}}, 'game.content: found "vgg"'),
        ({"game": {"name": "super_resolution", "content_in": "inception"}}, 'game.content_in: found "inception"'),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tree: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as error:
        parse(TrialSpec, spec().model_dump(mode="json") | tree, "t.yaml")
    assert "\n" not in str(error.value)


def test_an_original_that_is_too_small_is_named(tmp_path: Path) -> None:
    for at in range(120):
        Image.new("L", (16, 16 if at < 100 else 12), at).save(tmp_path / f"{at:03}.png")
    data = spec(data={"name": f"imagefolder:{tmp_path}", "resolution": 16, "low": {"factor": 2}}).data
    with pytest.raises(InputError, match=r"data.low: .*100.png is 16 x 12; valid: 16 or more a side"):
        Evaluator.open(data, Asked(16, features="random"), tmp_path / "cache", None, "cpu")

"""The translation that is learned from pairs (pix2pix): its U-Net, its losses, its batches, its data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from pipeline.conformance.checks import conform
from pipeline.data.batches import Batches, Domain, How
from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.games.game import Draw, Facts, Turn
from pipeline.games.networks import build_generator
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.schema.base import parse
from pipeline.schema.translators import UnetSpec
from pipeline.schema.trial import DataSpec, TrialSpec, resolve
from pipeline.training.loop import Task, training
from pipeline.training.state import initial
from pipeline.training.store import Store
from tests.training.toy import facts, last_state, same

BATCH = 4


def spec(game: dict[str, Any] | None = None, **changes: Any) -> TrialSpec:
    tree = {
        "data": {"name": "digit_outlines", "paired": True},
        "budget": {"images": 320},
        "evaluation": {"every": 160, "samples": 64, "features": "random"},
        "game": {"name": "translation", "learned_from": "pairs", "directions": "a_to_b", **(game or {})},
        "generator": {"network": "unet", "width": 8},
        "discriminator": {"network": "cyclegan", "width": 4},
        "optimiser": {"lr_g": 1e-3},
        "batch_size": BATCH,
        "ema": {"half_life": 50.0},
    }
    return resolve(parse(TrialSpec, tree | changes, "t.yaml"), cuda=False)


@pytest.mark.parametrize("game", [{}, {"directions": "both", "objective": "relativistic"}, {"directions": "b_to_a"}])
def test_it_conforms(game: dict[str, Any]) -> None:
    assert [check.wrong for check in conform(spec(game))] == [None] * 7


def test_pairs_are_drawn_and_mirrored_together(tmp_path: Path) -> None:
    """An outline is where a digit's brightest neighbour is brighter than it."""
    made = spec(data={"name": "digit_outlines", "paired": True, "mirror": True})
    state = initial(made, load(made.data, None, tmp_path), 1)
    for _ in range(3):
        batch = state.batches.next(state.randomness)
        around = torch.nn.functional.max_pool2d(batch["b"], 3, 1, 1)
        assert torch.allclose(batch["a"] + 1, around - batch["b"], atol=2 / 255)


def test_without_the_key_domains_have_orders_of_their_own() -> None:
    domains = {name: Domain(torch.arange(100.0)[:, None]) for name in "ab"}
    made = {paired: Batches(domains, torch.device("cpu"), 50, How(paired=paired)) for paired in (False, True)}
    for paired, batches in made.items():
        batch = batches.next(torch.Generator().manual_seed(0))
        assert torch.equal(batch["a"], batch["b"]) == paired


def turn_of(made: TrialSpec, tmp_path: Path) -> tuple[Any, Turn]:
    state, randomness = initial(made, load(made.data, None, tmp_path), 1), torch.Generator().manual_seed(0)
    batch = state.batches.next(randomness)
    inputs = state.game.inputs(BATCH, randomness, batch)
    return state.game, Turn(
        batch, inputs, state.game.generate(state.game.generator, inputs, Draw(randomness)), randomness
    )


def test_the_discriminator_sees_what_an_image_was_made_of(tmp_path: Path) -> None:
    """The same translation of another source is judged otherwise, and a partner's distance counts 100 times."""
    game, turn = turn_of(spec(), tmp_path)
    other = dataclasses.replace(turn, batch={**turn.batch, "a": turn.batch["a"].flip(0)})
    one, another = (game.discriminator_loss(game.discriminator, each).judged["b"][1] for each in (turn, other))
    assert not torch.equal(one, another)
    off = dataclasses.replace(turn, fake={"to_b": turn.batch["b"] + 0.1})
    terms = game.generator_loss(game.generator, game.discriminator, off).terms
    assert terms.keys() == {"adversarial_b", "pair_b"}
    assert torch.allclose(terms["pair_b"], torch.full((BATCH,), 10.0), atol=1e-4)
    assert list(game.generator) == ["to_b"]
    assert list(game.references) == ["to_b"]


@pytest.mark.parametrize(("resolution", "depth"), [(16, None), (32, None), (64, 3), (20, None)])
def test_a_unet_is_as_large_as_its_images_and_has_its_noise_always(resolution: int, depth: int | None) -> None:
    made = UnetSpec(network="unet", width=4, depth=depth, norm="instance")
    network = build_generator(made, 0, Facts("image", (3, resolution, resolution)), seed=1).eval()
    x = torch.rand(2, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    found = [network(x, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert found[0].shape == x.shape
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2]) == (resolution == 20)  # halved twice: nothing is behind the innermost one


def test_what_goes_around_the_bottleneck_reaches_the_output() -> None:
    """One pixel of a corner changes the output there although the innermost layer is held."""
    made = UnetSpec(network="unet", width=4, depth=2, norm="none", dropout=0.0, init="kaiming")
    network: Any = build_generator(made, 0, Facts("image", (1, 16, 16)), seed=1)
    with torch.no_grad():
        network.up[0][1].weight.zero_()
    x = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(x)[0, 0, 0, 0], x)
    assert float(gradient[..., :3, :3].abs().sum()) > 0


def test_pairs_are_learned_from_and_a_cut_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    """The distance to the partner, of values in [-1, 1], is measured of held-out images; three rows show them."""
    evaluator = Evaluator.open(spec().data, Asked(64, features="random"), tmp_path / "cache", None, "cpu")
    found = list(training(Task(spec(), 1, "fid.b"), evaluator, Store(tmp_path / "whole")))
    outlines, digits = (evaluator.dataset.domains[name].validation[:64].float() for name in "ab")
    untranslated = float((outlines - digits).abs().mean() / 127.5)
    assert {"l1.b", "psnr.b", "ssim.b", "fid.b"} <= found[-1].metrics.keys()
    assert found[-1].metrics["l1.b"] < 0.6 * untranslated
    cut = training(Task(spec(), 1, "fid.b"), evaluator, Store(tmp_path / "cut"))
    next(cut)
    again = [facts(m) for m in training(Task(spec(), 1, "fid.b"), evaluator, Store(tmp_path / "cut"))]
    assert again == [facts(m) for m in found]
    assert same(last_state(tmp_path / "cut"), last_state(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        (
            {"data": {"name": "digit_outlines"}},
            "game.learned_from: found pairs with unpaired data; valid: with data.pair",
        ),
        ({"data": {"name": "digit_styles", "paired": True}}, "data.*paired: found it with digit_styles, which has no"),
        ({"data": {"name": "digits", "paired": True}}, "paired: found it with digits, which has no pairs"),
        (
            {"game": {"name": "translation", "learned_from": "pairs", "pool": 5}},
            "pool: found it with learned_from pairs",
        ),
        ({"game": {"name": "translation", "pair_weight": 5.0}}, "pair_weight: found it with learned_from cycle"),
        ({"generator": {"network": "unet", "depth": 5}}, "generator.depth: found 5; .* halved 4 times, valid: 2, 3, 4"),
        ({"discriminator": {"network": "unet"}}, "discriminator"),
        ({"game": {"name": "translation", "directions": "a"}}, 'game.directions: found "a"'),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tree: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as error:
        parse(TrialSpec, spec().model_dump(mode="json") | tree, "t.yaml")
    assert "\n" not in str(error.value)


def folders(path: Path) -> DataSpec:
    for at in range(120):
        for name, value in (("a", at), ("b", 255 - at)):
            (path / name).mkdir(exist_ok=True)
            Image.new("L", (12, 12), value).save(path / name / f"{at:03}.{'png' if name == 'a' else 'bmp'}")
    return DataSpec(name=f"imagefolders:{path}/a,{path}/b", resolution=8, paired=True)


def test_two_folders_are_pairs_by_their_files_names(tmp_path: Path) -> None:
    found = load(folders(tmp_path), None, tmp_path / "cache")
    for part in ("train", "validation", "test"):
        one, other = (found.domains[name].part(part).int() for name in "ab")
        assert torch.equal(one, 255 - other)


def test_the_first_file_without_a_partner_is_named(tmp_path: Path) -> None:
    data = folders(tmp_path)
    Image.new("L", (10, 12), 0).save(tmp_path / "b" / "007.bmp")
    with pytest.raises(InputError, match=r"007.png and .*007.bmp are 12 x 12 and 10 x 12; valid: pairs of one size"):
        load(data, None, tmp_path / "cache")
    (tmp_path / "b" / "007.bmp").unlink()
    with pytest.raises(InputError, match=r"data.paired: .*a/007 has no partner in the other folder; valid: two"):
        load(data, None, tmp_path / "cache")
    (tmp_path / "a" / "007.png").unlink()
    (tmp_path / "a" / "003.png").unlink()
    with pytest.raises(InputError, match="b/003 has no partner"):
        load(data, None, tmp_path / "cache")

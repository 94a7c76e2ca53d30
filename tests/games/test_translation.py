"""The translation between two domains: its pool, its losses, and what a cut run goes on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.conformance.checks import conform
from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.games import pool
from pipeline.games.game import Draw, Turn
from pipeline.games.networks import build_discriminator
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.record.measurement import Measurement
from pipeline.schema.base import parse
from pipeline.schema.translators import PatchSpec
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.training.loop import Task, training
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from pipeline.training.store import Store
from tests.training.toy import facts, last_state, same

OBJECTIVE, SIZE, BATCH = "fid.b", 6, 4


def spec(microbatch: int | None = None, **game: Any) -> TrialSpec:
    tree = {
        "data": {"name": "digit_styles"},
        "budget": {"images": 160},
        "evaluation": {"every": 40, "samples": 64, "features": "random"},
        "game": {"name": "translation", "pool": SIZE, **game},
        "generator": {"network": "cyclegan", "width": 4, "blocks": 1},
        "discriminator": {"network": "cyclegan", "width": 4},
        "batch_size": BATCH,
        "microbatch": microbatch,
        "ema": {"half_life": 50.0},
    }
    return resolve(parse(TrialSpec, tree, "t.yaml"), cuda=False)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return Evaluator.open(spec().data, Asked(64, features="random"), tmp_path_factory.mktemp("cache"), None, "cpu")


@pytest.fixture(scope="module")
def whole(evaluator: Evaluator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Measurement]]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, list(training(Task(spec(), 1, OBJECTIVE), evaluator, Store(folder)))


def state_of(evaluator: Evaluator, **game: Any) -> TrainingState:
    return initial(spec(**game), evaluator.dataset, 1)


def turn_of(state: TrainingState) -> Turn:
    randomness = torch.Generator().manual_seed(0)
    batch = state.batches.next(randomness)
    inputs = state.game.inputs(BATCH, randomness, batch)
    fake = state.game.generate(state.game.generator, inputs, Draw(randomness))
    return Turn(batch, inputs, fake, randomness, auxiliary=state.auxiliary)


@pytest.mark.parametrize(
    "game",
    [
        {},
        {"directions": "a_to_b"},
        {"objective": "relativistic_average", "identity_weight": 0.0},
        {"objective": "hinge", "pool": 0},
    ],
)
def test_it_conforms(game: dict[str, Any]) -> None:
    assert [check.wrong for check in conform(spec(**game))] == [None] * 7


def run_of(size: int, batch: int, steps: int) -> tuple[pool.Pool, list[tuple[int, int]]]:
    """A pool after so many steps of numbered fakes; (number of the new fake, number of what was shown for it)."""
    kept, randomness, seen = pool.empty(size, (1,), batch, torch.device("cpu")), torch.Generator().manual_seed(0), []
    for at in range(steps):
        fakes = torch.arange(at * batch, (at + 1) * batch).float().view(-1, 1)
        seen += list(zip(fakes[:, 0].int().tolist(), pool.shown(kept, fakes)[:, 0].int().tolist(), strict=True))
        kept = pool.advanced(kept, fakes, randomness)
    return kept, seen


def test_a_pool_fills_and_shows_what_is_new_until_it_is_full() -> None:
    kept, seen = run_of(size=50, batch=4, steps=13)
    assert all(new == shown for new, shown in seen)
    assert kept["images"][:, 0].tolist() == list(range(50))
    assert int(kept["filled"]) == 50


def test_half_of_what_a_full_pool_shows_is_from_it_drawn_evenly() -> None:
    """The share of earlier fakes is 1/2 within 4 standard errors. One that is in the pool is shown in a step with
    probability batch / size / 2, so after 2 size / batch steps in the mean; what is shown is gone from it."""
    size, batch = 50, 4
    kept, seen = run_of(size, batch, steps=5000)
    after = seen[size + batch :]
    earlier = [(new, shown) for new, shown in after if new != shown]
    assert abs(len(earlier) / len(after) - 0.5) < 4 * (0.25 / len(after)) ** 0.5
    ages = torch.tensor([(new - shown) / batch for new, shown in earlier])
    assert abs(float(ages.mean()) / (2 * size / batch) - 1) < 0.05
    assert len({shown for _, shown in after}) == len(after)
    assert len(kept["images"].unique()) == size
    assert not {shown for _, shown in after} & set(kept["images"][:, 0].int().tolist())


def test_of_a_batch_larger_than_the_pool_so_many_go_through_it() -> None:
    _, seen = run_of(size=3, batch=8, steps=200)
    assert all(new == shown for new, shown in seen if new % 8 >= 3)
    assert any(new != shown for new, shown in seen)


def test_the_discriminator_sees_the_pool_and_the_generator_what_it_made(evaluator: Evaluator) -> None:
    state = state_of(evaluator)
    turn = turn_of(state)
    full = {"filled": torch.tensor(SIZE), "swapped": torch.ones(BATCH, dtype=torch.bool)}
    others = {name: held | full for name, held in state.auxiliary["discriminator"].items()}
    pooled = replace(turn, auxiliary={"generator": {}, "discriminator": others})
    game = state.game
    one, other = (game.discriminator_loss(game.discriminator, each).total() for each in (turn, pooled))
    assert not torch.equal(one, other)
    one, other = (game.generator_loss(game.generator, game.discriminator, each).total() for each in (turn, pooled))
    assert torch.equal(one, other)


def test_identity_maps_have_no_cycle_and_no_identity_loss(evaluator: Evaluator) -> None:
    """And the adversarial term is Zhu et al.'s (D(G(x)) - 1)^2, a mean over patches."""
    state = state_of(evaluator)
    turn = turn_of(state)
    same_image = replace(turn, fake={"to_a": turn.batch["b"], "to_b": turn.batch["a"]})
    losses = state.game.generator_loss(lambda name, x, _: x, state.game.discriminator, same_image)
    for name in ("cycle_a", "cycle_b", "identity_a", "identity_b"):
        assert losses.terms[name].tolist() == [0.0] * BATCH
    scores = state.game.discriminator("b", turn.batch["a"])
    assert torch.allclose(losses.terms["adversarial_b"], (scores - 1).square().flatten(1).mean(1))


def test_the_weights_of_the_cycle_and_of_the_identity(evaluator: Evaluator) -> None:
    """A map that is off by 0.1 everywhere, both ways: 10 * 0.2, and 0.5 * 10 * 0.1."""
    state = state_of(evaluator)
    turn = turn_of(state)
    off = replace(turn, fake={"to_a": turn.batch["b"] + 0.1, "to_b": turn.batch["a"] + 0.1})
    terms = state.game.generator_loss(lambda name, x, _: x + 0.1, state.game.discriminator, off).terms
    assert torch.allclose(terms["cycle_a"], torch.full((BATCH,), 2.0), atol=1e-5)
    assert torch.allclose(terms["identity_b"], torch.full((BATCH,), 0.5), atol=1e-5)
    without = state_of(evaluator, identity_weight=0.0).game
    assert "identity_b" not in without.generator_loss(lambda name, x, _: x, state.game.discriminator, off).terms


def test_one_way_is_judged_and_measured_alone_and_the_way_back_learns_from_the_cycle(evaluator: Evaluator) -> None:
    state = state_of(evaluator, directions="a_to_b")
    before = {name: each.clone() for name, each in state.game.generator.state_dict().items()}
    measured = step(state, state.batches.next(state.randomness), state.randomness)
    assert state.game.references == {"to_b": "b"}
    assert all(name.startswith("b.") for name, _ in state.game.discriminator.named_parameters())
    assert bool(measured["loss_g"].isfinite())
    after = state.game.generator.state_dict()
    assert any(not torch.equal(after[name], value) for name, value in before.items() if name.startswith("to_a."))


def test_both_ways_are_measured_and_shown(whole: tuple[Path, list[Measurement]]) -> None:
    folder, found = whole
    assert {"fid.a", "fid.b"} <= found[-1].metrics.keys()
    shown = sorted(path.name for path in (folder / "samples").glob("images-*0160*"))
    assert shown == ["images-000000000160-to_a.png", "images-000000000160-to_b.png"]
    assert {"loss_g.cycle_a", "loss_g.adversarial_b", "loss_d.adversarial_a"} <= found[-1].signals.keys()


def test_a_run_that_is_cut_with_a_full_pool_goes_on_to_the_bit(
    evaluator: Evaluator, whole: tuple[Path, list[Measurement]], tmp_path: Path
) -> None:
    cut = training(Task(spec(), 1, OBJECTIVE), evaluator, Store(tmp_path))
    for _ in range(2):
        next(cut)
    held = last_state(tmp_path)["auxiliary"]["discriminator"]
    assert [int(held[name]["filled"]) for name in ("to_a", "to_b")] == [SIZE, SIZE]
    again = [facts(m) for m in training(Task(spec(), 1, OBJECTIVE), evaluator, Store(tmp_path))]
    assert again == [facts(m) for m in whole[1][1:]]
    assert same(last_state(tmp_path), last_state(whole[0]))


@pytest.mark.parametrize(("depth", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_the_patch_that_a_score_sees(depth: int, patch: int) -> None:
    """Isola et al. 2017: 16, 34 and 70 pixels a side."""
    made = PatchSpec(network="cyclegan", width=2, depth=depth, norm="none")
    x = torch.zeros(1, 1, 128, 128, requires_grad=True)
    scores = build_discriminator(made, (1, 128, 128), seed=1)(x, None, None)
    middle = scores[0, scores.shape[1] // 2, scores.shape[2] // 2]
    rows = torch.autograd.grad(middle, x)[0][0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == patch


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        ({"data": {"name": "digits"}}, r"data.name: found digits, of one domain, .*valid: imagefolders:PATH_A,PATH_B"),
        ({"game": {}}, r"generator.network: found cyclegan with game.name adversarial; valid: mlp, dcgan"),
        (
            {"generator": {"network": "dcgan"}},
            "generator.network: found dcgan with game.name translation; valid: cyclegan",
        ),
        (
            {"generator": {"network": "cyclegan", "depth": 3}, "data": {"name": "digit_styles", "resolution": 12}},
            "valid: 1, 2",
        ),
        ({"discriminator": {"network": "cyclegan", "depth": 3}}, "discriminator.depth: found 3; .* valid: 1, 2"),
        ({"regularisers": {"r1": {}}}, "regularisers.r1: found it with game.name translation"),
        ({"latent": {"size": 3}}, "latent: found it with game.name translation"),
        ({"game": {"name": "translation", "packing": 2}}, 'game.packing: unknown key "packing"'),
        ({"game": {"name": "translation", "objective": "hing"}}, 'game.objective: found "hing", did you mean'),
        ({"game": {"name": "translatio"}}, 'game.name: found "translatio", did you mean'),
        ({"game": {"name": "translation", "directions": "back"}}, 'game.directions: found "back"'),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tree: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as error:
        parse(TrialSpec, spec().model_dump(mode="json") | tree, "t.yaml")
    assert "\n" not in str(error.value)


def test_data_of_a_function_has_to_have_the_two_domains(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\ndef data(resolution): return {n: torch.rand(120, 1, 16, 16) for n in ('x', 'y')}\n"
    )
    mine = parse(TrialSpec, spec().model_dump(mode="json") | {"data": {"name": f"{tmp_path}/mine.py:data"}}, "t.yaml")
    with pytest.raises(InputError, match="on image data of x, y; valid: images of a and b"):
        initial(mine, load(mine.data, None, tmp_path), 1)


def test_a_batch_in_parts_goes_through_one_pool(evaluator: Evaluator) -> None:
    """Earlier fakes are shown at the places that were drawn for the whole batch."""
    whole, parts = (initial(spec(size), evaluator.dataset, 1) for size in (None, 2))
    for _ in range(4):
        for state in (whole, parts):
            step(state, state.batches.next(state.randomness), state.randomness)
        one, other = (state.auxiliary["discriminator"]["to_b"] for state in (whole, parts))
        assert torch.equal(one["places"], other["places"])
        assert torch.equal(one["swapped"], other["swapped"])
        torch.testing.assert_close(other["images"], one["images"], rtol=0, atol=1e-3)
    assert bool(one["swapped"].any())

"""Gradient accumulation: the step of the whole batch, in parts; what counts as a step does not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.errors import InputError
from pipeline.games.game import Losses, Turn
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from tests.training.toy import BATCH, EVERY, evaluator, facts, last_state, run, same, spec

# Parts that judge each sample by itself and draw nothing, so that a batch in parts is the same batch.
BY_SAMPLE: dict[str, Any] = {
    "generator": {"network": "mlp", "width": 16, "depth": 2},
    "discriminator": {"network": "mlp", "width": 16, "depth": 2, "norm": "layer"},
    "regularisers": {"r1": {"weight": 0.5, "interval": 2}, "r2": {"weight": 0.2}, "gradient_clipping": {"norm": 0.5}},
    "optimiser": {"lr_g": 1e-3, "lr_d": 2e-3, "discriminator_steps": 2, "schedule": "cosine"},
}

BATCHED = {"network": "mlp", "width": 8, "norm": "batch"}


def start(**changes: Any) -> TrainingState:
    return initial(spec(**{**BY_SAMPLE, **changes}), evaluator().dataset, 1)


def advance(state: TrainingState) -> dict[str, Tensor]:
    return step(state, state.batches.next(state.randomness), state.randomness)


@pytest.mark.parametrize("microbatch", [1, 8, 16, 32])
@pytest.mark.parametrize("objective", ["non_saturating", "hinge", "relativistic"])
def test_gradients_and_what_is_measured_are_the_whole_batchs(objective: str, microbatch: int) -> None:
    whole, parts = (start(game={"objective": objective}, microbatch=size) for size in (None, microbatch))
    for _ in range(4):
        expected, found = advance(whole), advance(parts)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
        for side in ("generator", "discriminator"):
            pairs = zip(*(getattr(each.game, side).parameters() for each in (whole, parts)), strict=True)
            for one, other in pairs:
                if one.grad is None:
                    assert other.grad is None
                else:
                    torch.testing.assert_close(other.grad, one.grad, rtol=0, atol=1e-6)
    assert (parts.step, parts.images) == (whole.step, whole.images) == (4, 4 * BATCH)
    torch.testing.assert_close(
        parts.window_d.means()["loss_d.r1"], whole.window_d.means()["loss_d.r1"], rtol=1e-5, atol=0
    )
    for one, other in zip(whole.ema.parameters(), parts.ema.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=1e-5)


def test_no_more_than_a_part_passes_at_a_time_and_the_parts_state_sees_all() -> None:
    """LeCam's averages are of the whole batch's scores; both sides' fakes are the same ones."""
    state = start(microbatch=8, regularisers={"lecam": {"start": 2}}, optimiser={"lr_g": 1e-3})
    passed: list[tuple[str, int, Tensor]] = []
    for side in ("discriminator", "generator"):
        original = getattr(state.game, f"{side}_loss")

        def noting(*given: Any, side: str = side, original: Any = original) -> Losses:
            turn: Turn = given[-1]
            passed.append((side, turn.first, turn.fakes.detach()))
            losses: Losses = original(*given)
            return losses

        setattr(state.game, f"{side}_loss", noting)
    seen: list[Losses] = []
    original_advance = state.game.advance
    state.game.advance = lambda side, losses, turn: (  # type: ignore[method-assign]
        seen.append(losses) if side == "discriminator" else None,
        original_advance(side, losses, turn),
    )[1]
    advance(state)
    assert [(side, first) for side, first, _ in passed] == [
        (side, first) for side in ("discriminator", "generator") for first in (0, 8, 16, 24)
    ]
    assert all(len(fake) == 8 for _, _, fake in passed)
    for (_, _, one), (_, _, other) in zip(passed[:4], passed[4:], strict=True):
        assert torch.equal(one, other)
    real, fake = seen[0].judged["samples"]
    assert len(real) == len(fake) == BATCH
    torch.testing.assert_close(state.auxiliary["discriminator"]["lecam"]["real"], real.mean())
    assert not seen[0].terms["adversarial"].requires_grad


def test_batch_norms_statistics_are_of_each_part() -> None:
    whole, parts = (start(generator=BATCHED, optimiser={"lr_g": 1e-3}, microbatch=size) for size in (None, 16))
    advance(whole)
    advance(parts)
    one, other = (state.game.generator.state_dict() for state in (whole, parts))
    name = next(key for key in one if key.endswith("num_batches_tracked"))
    assert (int(one[name]), int(other[name])) == (1, 4)  # each half for D's turn and again for its own


def test_a_batch_in_parts_goes_on_to_the_bit(tmp_path: Path) -> None:
    changes = {"microbatch": 8, "regularisers": {"r1": {"weight": 0.1}, "instance_noise": {}}}
    whole = [facts(measurement) for measurement in run(tmp_path / "whole", **changes)]
    first = run(tmp_path / "cut", **changes)
    seen = [facts(next(first)) for _ in range(2)]
    assert seen[-1]["images"] == 2 * EVERY
    del first
    assert seen[:-1] + [facts(each) for each in run(tmp_path / "cut", **changes)] == whole
    assert same(last_state(tmp_path / "cut"), last_state(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"microbatch": 12}, "microbatch: found 12; valid: what divides batch_size (32)"),
        ({"microbatch": 64}, "microbatch: found 64; valid: what divides batch_size (32)"),
        ({"microbatch": 0}, "microbatch: found 0; valid: greater than or equal to 1"),
        ({"microbatch": 2, "game": {"packing": 4}}, "microbatch: found 2; valid: a multiple of game.packing (4)"),
        (
            {"microbatch": 1, "discriminator": {"network": "mlp", "minibatch": "stddev"}},
            "discriminator.minibatch: found stddev with 1 scores a batch (microbatch / game.packing), which are in no",
        ),
    ],
)
def test_what_does_not_divide_is_refused(changes: dict[str, Any], line: str) -> None:
    tree = spec().model_dump(mode="json")
    with pytest.raises(InputError) as error:
        parse(TrialSpec, tree | changes, "x")
    assert str(error.value).removeprefix("x: ").startswith(line)
    assert "\n" not in str(error.value)

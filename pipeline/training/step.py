"""The training step: one update of the discriminator, and of the generator and its average when it is their turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pipeline.data.batches import Batch
from pipeline.data.trees import rows
from pipeline.games.game import SIDES, Draw, Losses, Side, Turn
from pipeline.schema.optimiser import OPTIMISERS
from pipeline.schema.schedule import value_at
from pipeline.training.microbatches import again, constant, parts_of, together, whole
from pipeline.training.state import TrainingState


def step(state: TrainingState, batch: Batch, randomness: torch.Generator) -> dict[str, Tensor]:
    """Updates `state` in place with one batch of reals and returns what was measured, 0-dimensional tensors on
    the device. The budget grows by the batch. Nothing here waits for the device.

    The two updates of a step use the same fakes (Goodfellow et al. 2014, algorithm 1, with k =
    optimiser.discriminator_steps); both see the generator before its update. See microbatches.py for a batch that
    passes in parts.
    """
    spec, game = state.spec, state.game
    count, generator_turn = rows(batch), (state.step + 1) % spec.optimiser.discriminator_steps == 0
    _schedule(state)
    parts = parts_of(batch, game.inputs(count, randomness, batch), spec.microbatch)
    draw, noise, turns = Draw(randomness, state.progress), list[torch.Generator](), list[Turn]()
    due = _due(state, "discriminator")
    for reals, inputs in parts:
        if len(parts) > 1 and generator_turn:
            noise.append(randomness.clone_state())
        with precision(state), torch.set_grad_enabled(generator_turn and len(parts) == 1):
            fake = game.generate(game.generator, inputs, draw)
        # Both sides see the parts' state as it is before either update.
        first = sum(rows(turn.batch) for turn in turns)
        turns.append(Turn(reals, inputs, fake, randomness, due, dict(state.auxiliary), draw.progress, first))
    everything = whole(turns)

    losses, measured = _update(state, "discriminator", turns, len(parts))
    first_pair, *others = (win_rate(*pair) for pair in losses.judged.values())
    measured["discriminator_win_rate"] = torch.stack([first_pair, *others]).mean() if others else first_pair
    _afterwards(state, "discriminator", losses, everything)
    state.window_d.add(list(measured.values()), losses)

    if generator_turn:
        due = _due(state, "generator")
        turns = [replace(turn, due=due) for turn in turns]
        _require_gradient(state.optimiser_d, False)  # the generator's update needs no gradient of D's weights
        made = again(game, turns, noise, precision(state)) if noise else turns
        losses, of_g = _update(state, "generator", made, len(parts))
        _afterwards(state, "generator", losses, replace(everything, due=due))
        _require_gradient(state.optimiser_d, True)
        _average(state, count)
        state.window_g.add(list(of_g.values()), losses)
        measured |= of_g

    state.step += 1
    state.images += count
    return measured


def _due(state: TrainingState, side: Side) -> dict[str, float]:
    """A side's lazy terms that are due, by its own steps, each with its interval as a factor."""
    made = state.step if side == "discriminator" else state.step // state.spec.optimiser.discriminator_steps
    return {name: float(every) for name, every in state.game.intervals(side).items() if made % every == 0}


def _afterwards(state: TrainingState, side: Side, losses: Losses, turn: Turn) -> None:
    """A side's parameter rule, and its parts' state, after its update."""
    state.game.constrain(side, _parameters(state.optimiser_d if side == "discriminator" else state.optimiser_g))
    state.auxiliary[side] = state.game.advance(side, losses, turn)


def win_rate(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """P(D(real) > D(fake)) over all pairs of the batch, a tie counting one half; NaN where a score is NaN.

    Unlike the sign of a score it means the same for every objective: 0.5 is chance, 1 a discriminator that
    wins each pair (the area under its ROC curve).
    """
    difference = real_scores.detach()[:, None] - fake_scores.detach()[None, :]
    return 0.5 + 0.5 * difference.sign().mean() + 0 * difference.sum()


def _update(state: TrainingState, side: Side, turns: Iterable[Turn], count: int) -> tuple[Losses, dict[str, Tensor]]:
    """One step of a side's optimiser down the gradient of its loss, the mean over so many turns; the losses, and what
    was measured: the loss, and the gradient's norm over all parameters, as it was before it is clipped."""
    game, optimiser = state.game, state.optimiser_d if side == "discriminator" else state.optimiser_g
    optimiser.zero_grad(set_to_none=True)
    all_losses, totals = list[Losses](), list[Tensor]()
    for turn in turns:
        with precision(state):
            if side == "discriminator":
                losses = game.discriminator_loss(game.discriminator, turn)
            else:
                losses = game.generator_loss(game.generator, game.discriminator, turn)
        total = losses.total()
        (total if count == 1 else total / count).backward()
        totals.append(total.detach())
        all_losses.append(losses if count == 1 else constant(losses))
    loss = totals[0] if count == 1 else torch.stack(totals).mean()
    norm = get_total_norm([p.grad for p in _parameters(optimiser) if p.grad is not None])
    if clipping := state.spec.regularisers.gradient_clipping:
        clip_grads_with_norm_(_parameters(optimiser), clipping.norm, norm)
    optimiser.step()
    return together(all_losses), {f"loss_{side[0]}": loss, f"{side}_gradient_norm": norm}


def _require_gradient(optimiser: torch.optim.Optimizer, required: bool) -> None:
    for parameter in _parameters(optimiser):
        parameter.requires_grad_(required)


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    """A side's parameters, without the walk through its modules that each call of parameters() is."""
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _schedule(state: TrainingState) -> None:
    """Sets both optimisers' rates and betas to what they are at this point of the budget."""
    spec, share = state.spec.optimiser, state.progress.share
    if spec.constant:
        return
    factor, row = spec.factor(share), OPTIMISERS[spec.name]
    if state.images < spec.warmup:
        factor *= (state.images + state.spec.batch_size) / (spec.warmup + state.spec.batch_size)
    for side, optimiser in zip(SIDES, (state.optimiser_g, state.optimiser_d), strict=True):
        lr, betas = spec.of(side, share)
        for group in optimiser.param_groups:
            group.update(row.averages(*betas), lr=lr * group["factor"] * factor)


@torch.no_grad()
def _average(state: TrainingState, batch_size: int) -> None:
    """The EMA update: parameters and batch norm's statistics averaged, the rest copied."""
    if state.averaging is None:
        return
    half_life, ramp = value_at(state.spec.ema.half_life, state.progress.share), state.spec.ema.ramp
    if ramp is not None and state.spec.init_from is None:  # else it begins with an average that is worth keeping
        half_life = min(half_life, ramp * (state.images + batch_size))
    decay = 0.5 ** (batch_size * state.spec.optimiser.discriminator_steps / half_life) if half_life else 0.0
    get_ema_multi_avg_fn(decay)(state.averaging.ours, state.averaging.theirs, None)
    for ours, theirs in state.averaging.copied:
        ours.copy_(theirs)


def precision(state: TrainingState) -> AbstractContextManager[object]:
    """bfloat16 where the spec asks for it."""
    return torch.autocast(state.device.type, torch.bfloat16, enabled=state.spec.precision == "bf16")


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """The networks in evaluation mode, and afterwards in the mode in which they were."""
    modes = [network.training for network in networks]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for network, mode in zip(networks, modes, strict=True):
            network.train(mode)

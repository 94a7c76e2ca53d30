"""What a game's methods have to return, looked at for one batch: by gansweep conform, and before a game is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.games.game import Game, Losses, Turn
from pipeline.training.state import TrainingState

SEED = 3  # of the batch, and of the networks


def shapes(state: TrainingState) -> str | None:
    """What is wrong with what the game's methods return."""
    game = state.game
    intervals = game.intervals()
    if not isinstance(intervals, Mapping) or not all(
        isinstance(every, int) and every > 0 for every in intervals.values()
    ):
        return f"intervals() returned {intervals!r}; valid: {{term: whole number from 1 on}}, {{}} without such terms"
    turn = first_turn(state)
    for name in ("generate", "sample"):
        made = getattr(game, name)(game.generator, turn.inputs)
        if not isinstance(made, Tensor) or made.shape != turn.real.shape:
            return f"{name}() returned {_shown(made)}; valid: a tensor of {tuple(turn.real.shape)}"
    found: tuple[tuple[str, Any], ...] = (
        ("discriminator_loss", game.discriminator_loss(game.discriminator, turn)),
        ("generator_loss", game.generator_loss(game.generator, game.discriminator, turn)),
    )
    for name, losses in found:
        if not isinstance(losses, Losses) or not isinstance(losses.terms, Mapping) or not losses.terms:
            shown = f"Losses({losses.terms!r})" if isinstance(losses, Losses) else _shown(losses)
            return f"{name}() returned {shown}; valid: Losses({{name: tensor}})"
        for term, value in losses.terms.items():
            if not isinstance(value, Tensor) or value.dim() > 1:
                return f"{name}(): the term {term} is {_shown(value)}; valid: a tensor (batch,), or a scalar"
        measured: dict[str, Any] = dict(losses.measurements)
        for measurement, given in measured.items():
            if not isinstance(given, Tensor):
                return f"{name}(): the measurement {measurement} is {_shown(given)}; valid: a tensor"
        if name == "discriminator_loss":
            for side in ("real_scores", "fake_scores"):
                scores = getattr(losses, side)
                if not isinstance(scores, Tensor) or scores.dim() != 1:
                    return f"{name}(): {side} is {_shown(scores)}; valid: a tensor (batch,), health is judged by it"
    return _state_kept(game, turn, found[0][1])


def _state_kept(game: Game, turn: Turn, losses: Losses) -> str | None:
    """What is wrong with the parts' state: a checkpoint has to take it and give it back."""
    before = _named(turn.auxiliary)
    if before is None:
        return "auxiliary() returned something else than {part: {name: tensor}}; without state: {}"
    after = _named(game.advance(turn.auxiliary, losses, turn))
    if after is None or after.keys() != before.keys():
        shown = "something else" if after is None else ", ".join(map(".".join, after)) or "nothing"
        return f"advance() returned {shown}; valid: what auxiliary() has: {', '.join(map('.'.join, before)) or '{}'}"
    return None


def _named(state: Any) -> dict[tuple[str, str], Tensor] | None:
    """{(part, name): tensor}; None where `state` is not an Auxiliary."""
    if not isinstance(state, dict) or not all(isinstance(part, dict) for part in state.values()):
        return None
    flat = {(part, name): value for part, held in state.items() for name, value in held.items()}
    return flat if all(isinstance(value, Tensor) for value in flat.values()) else None


def reach(state: TrainingState) -> str | None:
    """What is wrong with whom the losses give a gradient: each its own side, and D's the generator none."""
    game, turn = state.game, first_turn(state)
    of_d = game.discriminator_loss(game.discriminator, turn)
    of_g = game.generator_loss(game.generator, game.discriminator, turn)
    for name, losses, network in (("discriminator", of_d, game.discriminator), ("generator", of_g, game.generator)):
        if not reaches(losses.total(), network):
            return f"{name}_loss() gives the {name} no gradient: something on the way is detached, or under no_grad"
    if reaches(of_d.total(), game.generator):
        return "discriminator_loss() gives the generator a gradient: use turn.fake.detach()"
    return None


def reaches(value: Tensor, network: nn.Module) -> bool:
    """Whether a value has a gradient with respect to a network's trained parameters."""
    if not value.requires_grad:
        return False
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    of_sum: tuple[Tensor | None, ...] = torch.autograd.grad(value.sum(), trained, retain_graph=True, allow_unused=True)
    return any(gradient is not None for gradient in of_sum)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def first_turn(state: TrainingState) -> Turn:
    """A turn of the first batch, with every lazy term due."""
    randomness = seeded()
    batch = state.batches.next(randomness)
    inputs = state.game.inputs(len(batch.real), randomness, batch)
    fake = state.game.generate(state.game.generator, inputs)
    due = {name: float(every) for name, every in state.game.intervals().items()}
    return Turn(batch.real, inputs, fake, randomness, due, state.game.auxiliary(state.device))


def _shown(value: Any) -> str:
    return f"a tensor of {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__

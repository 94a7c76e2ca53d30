"""What a game's methods have to return, looked at for one batch: by gansweep conform, and before a game is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.data.trees import named, rows, shown, tensors
from pipeline.games.game import SAMPLES, SIDES, Draw, Game, Group, Losses, Side, Turn
from pipeline.training.state import TrainingState

SEED = 3  # of the batch, and of the networks


def shapes(state: TrainingState) -> str | None:
    """What is wrong with what the game's methods return."""
    game = state.game
    for side in SIDES:
        intervals = game.intervals(side)
        if not isinstance(intervals, Mapping) or not all(
            isinstance(every, int) and every > 0 for every in intervals.values()
        ):
            valid = "{term: whole number from 1 on}, {} without such terms"
            return f"intervals() of the {side} returned {intervals!r}; valid: {valid}"
        if wrong := _grouped(game, side):
            return wrong
    turn = first_turn(state)
    if wrong := _made(game, turn):
        return wrong
    turns = {"discriminator": turn, "generator": first_turn(state, "generator")}
    both: tuple[tuple[str, Any], ...] = (
        ("discriminator_loss", game.discriminator_loss(game.discriminator, turns["discriminator"])),
        ("generator_loss", game.generator_loss(game.generator, game.discriminator, turns["generator"])),
    )
    for name, losses in both:
        if not isinstance(losses, Losses) or not isinstance(losses.terms, Mapping) or not losses.terms:
            returned = f"Losses({losses.terms!r})" if isinstance(losses, Losses) else shown(losses)
            return f"{name}() returned {returned}; valid: Losses({{name: tensor}})"
        for term, value in losses.terms.items():
            if not isinstance(value, Tensor) or value.dim() > 1:
                return f"{name}(): the term {term} is {shown(value)}; valid: a tensor (batch,), or a scalar"
        measured: dict[str, Any] = dict(losses.measurements)
        for measurement, given in measured.items():
            if not isinstance(given, Tensor):
                return f"{name}(): the measurement {measurement} is {shown(given)}; valid: a tensor"
    if wrong := _judged(both[0][1].judged):
        return wrong
    of_d, of_g = (losses for _, losses in both)
    return _state_kept(game, "discriminator", turns["discriminator"], of_d) or _state_kept(
        game, "generator", turns["generator"], of_g
    )


def _grouped(game: Game, side: Side) -> str | None:
    """What is wrong with the groups of a side's parameters: each that is trained is in one, once."""
    groups = game.groups(side)
    if not isinstance(groups, Mapping) or not all(isinstance(group, Group) for group in groups.values()):
        return f"groups() of the {side} returned {shown(groups)}; valid: {{name: Group(parameters)}}"
    listed = [id(parameter) for group in groups.values() for parameter in group.parameters]
    trained = [id(parameter) for parameter in getattr(game, side).parameters() if parameter.requires_grad]
    if sorted(listed) != sorted(trained):
        return f"groups() of the {side} lists {len(listed)} of {len(trained)} parameters; valid: each one, once"
    return None


def _made(game: Game, turn: Turn) -> str | None:
    """What is wrong with what is generated, and sampled: of the shape of what it is compared with."""
    for what in ("generate", "sample"):
        made = getattr(game, what)(game.generator, turn.inputs, turn.draw)
        if not isinstance(made, Tensor | Mapping) or not all(isinstance(each, Tensor) for each in tensors(made)):
            return f"{what}() returned {shown(made)}; valid: a tensor, or tensors by name"
        if what == "generate":
            continue
        made_shapes = {name: shown(each) for name, each in named(made, SAMPLES).items()}
        valid = {name: shown(turn.batch[real]) for name, real in game.references.items()}
        if made_shapes != valid:
            return f"sample() returned {shown(made)}; valid: {valid[SAMPLES] if list(valid) == [SAMPLES] else valid}"
    return None


def _judged(judged: Any) -> str | None:
    if not isinstance(judged, Mapping) or not judged:
        return f"discriminator_loss(): judged is {shown(judged)}; valid: {{name: (real scores, fake scores)}}"
    for name, pair in judged.items():
        for side, scores in zip(("real", "fake"), pair if isinstance(pair, tuple) else (None, None), strict=False):
            if not isinstance(scores, Tensor) or scores.dim() != 1:
                return (
                    f"discriminator_loss(): the {side} scores of {name} are {shown(scores)}; valid: a tensor (batch,), "
                    "health is judged by it"
                )
    return None


def _state_kept(game: Game, side: Side, turn: Turn, losses: Losses) -> str | None:
    """What is wrong with the parts' state: a checkpoint has to take it and give it back."""
    before = _named(turn.auxiliary[side])
    if before is None:
        return "auxiliary() returned something else than {part: {name: tensor}}; without state: {}"
    after = _named(game.advance(side, losses, turn))
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
    of_g = game.generator_loss(game.generator, game.discriminator, first_turn(state, "generator"))
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


def first_turn(state: TrainingState, side: Side = "discriminator", images: int = 0) -> Turn:
    """A side's turn of the first batch, with every lazy term due, as it were after so many images."""
    randomness, progress = seeded(), replace(state.progress, images=images)
    batch = state.batches.next(randomness)
    inputs = state.game.inputs(rows(batch), randomness, batch)
    fake = state.game.generate(state.game.generator, inputs, Draw(randomness, progress))
    return turned(state.game, side, Turn(batch, inputs, fake, randomness, progress=progress))


def turned(game: Game, side: Side, turn: Turn) -> Turn:
    """The turn as a side sees it in its first step, with every lazy term due."""
    due = {name: float(every) for name, every in game.intervals(side).items()}
    auxiliary = {each: game.auxiliary(each, turn.randomness.device) for each in SIDES}
    return replace(turn, due=due, auxiliary=auxiliary)

"""The conformance checks that a part of the user's own can be held to: gansweep conform my_gan.py:MyGame."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.conformance.protocol import SEED, first_turn, reach, reaches, seeded, shapes, turned
from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.errors import InputError, with_place
from pipeline.games.game import Game, Side, Turn
from pipeline.metrics.content import content_of
from pipeline.metrics.own import Evaluated, OwnMetric, own_metric
from pipeline.schema.trial import TrialSpec
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from pipeline.training.store import Store

STEPS, COMPARED = 4, 200
LOOKS = 32  # over the budget, where some parameters have no gradient at first
# What a game is checked on unless its space is named: 8x8 digits and small networks.
TOY: dict[str, Any] = {
    "data": {"name": "digits"},
    "budget": {"images": 1_000},
    "evaluation": {"every": 500},
    "latent": {"size": 8},
    "generator": {"network": "mlp", "width": 16, "depth": 2},
    "discriminator": {"network": "mlp", "width": 16, "depth": 2},
}


# Where in a spec a part of the user's own is named.
KINDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "game": lambda name: {"game": {"name": name}},
    "objective": lambda name: {"game": {"objective": name}},
    "generator": lambda name: {"generator": {"network": name}},
    "discriminator": lambda name: {"discriminator": {"network": name}},
    "regulariser": lambda name: {"regularisers": {"own": {"mine": {"name": name}}}},
    "metric": lambda name: {"evaluation": {"every": 500, "metrics": {"mine": {"name": name, "minimise": True}}}},
}


@dataclass(frozen=True)
class Check:
    """What was looked at, and what is wrong with it (None: nothing)."""

    name: str
    wrong: str | None


def conform(spec: TrialSpec) -> Iterator[Check]:
    """Checks the game of a spec (resolved) one after the other; one of GROUND that is wrong ends it, since what comes
    after would be wrong because of it. Metrics of the user's own are checked first."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = load(spec.data, None, Path(folder))
        for label, metric in spec.evaluation.metrics.items():
            yield Check(f"metric {label}", _measures(own_metric(label, metric), dataset))
        try:
            _begun(spec, dataset, Path(folder))
        except InputError as error:
            yield Check("builds", str(error))
            return
        except (Exception, SystemExit) as error:
            yield Check("builds", with_place(error))
            return
        yield Check("builds", None)
        for name, check in CHECKS.items():
            try:
                wrong = check(_begun(spec, dataset, Path(folder)), dataset, Path(folder))
            except (Exception, SystemExit) as error:
                wrong = with_place(error)
            yield Check(name, wrong)
            if wrong and name in GROUND:
                return


def _begun(spec: TrialSpec, dataset: Dataset, folder: Path, seed: int = SEED) -> TrainingState:
    """The state before the first step; folder: where features that a loss is measured in are kept meanwhile."""
    return initial(spec, dataset, seed, content=content_of(spec, dataset, folder))


def _measures(measure: OwnMetric, dataset: Dataset) -> str | None:
    """A metric of the user's own: a number, the same each time, and another one for other samples."""
    real = to_float(dataset.train[:COMPARED])
    made = [real, torch.zeros_like(real)]
    units = [dataset.own_units(rows).float() for rows in (*made, real)]
    seen = [
        Evaluated(rows, units[0], fakes.flatten(1), real.flatten(1))
        for rows, fakes in zip(units, (*made, real), strict=True)
    ]
    try:
        of_real, of_nothing, again = map(measure, seen)
    except InputError as error:
        return str(error)
    if of_real != again and not (math.isnan(of_real) and math.isnan(again)):
        return f"gives {of_real} and then {again} for the same samples"
    return f"gives {of_real} for real samples and for empty ones" if of_real == of_nothing else None


def _shapes(state: TrainingState, dataset: Dataset, folder: Path) -> str | None:
    return shapes(state)


def _gradients(state: TrainingState, dataset: Dataset, folder: Path) -> str | None:
    game, turn = state.game, first_turn(state)
    wrong = reach(state)
    if wrong:
        return wrong
    losses = game.discriminator_loss(game.discriminator, turn)
    for name, term in losses.terms.items():
        if name.startswith("own.") and not reaches(term, game.discriminator):
            return f"regularisers.{name} gives the discriminator no gradient in its first step: it changes nothing"
    return _reached(state, "discriminator") or _reached(state, "generator")


def _reached(state: TrainingState, side: Side) -> str | None:
    """What is wrong with the gradient of a side's parameters. Those of a network that grows have their turns: each is
    to have one somewhere in the budget."""
    game, budget = state.game, state.spec.budget.images
    waiting = {key: weight for key, weight in getattr(game, side).named_parameters() if weight.requires_grad}
    for look in range(LOOKS):
        turn = first_turn(state, side, images=budget * look // LOOKS)
        if side == "discriminator":
            loss = game.discriminator_loss(game.discriminator, turn).total()
        else:
            loss = game.generator_loss(game.generator, game.discriminator, turn).total()
        gradients: tuple[Tensor | None, ...] = torch.autograd.grad(loss, list(waiting.values()), allow_unused=True)
        for key, gradient in zip(list(waiting), gradients, strict=True):
            if gradient is None:
                continue
            if not bool(gradient.isfinite().all()):
                return f"{side}_loss() gives {key} a gradient that is not finite"
            del waiting[key]
        if not waiting:
            return None
    return f"{side}_loss() gives no gradient to {next(iter(waiting))}: leave out parameters that are not used"


def _no_hidden_state(state: TrainingState, dataset: Dataset, folder: Path) -> str | None:
    """The same networks, batch and randomness give the same losses, and nothing else is drawn from or changed."""
    before = torch.get_rng_state()
    torch.manual_seed(SEED + 1)  # another global generator than `state` was made under
    twin, other = (_begun(state.spec, dataset, folder, seed) for seed in (SEED, SEED + 1))
    for side in ("generator", "discriminator"):
        if not _same(_weights(state, side), _weights(twin, side)):
            return f"the first weights of the {side} are not decided by `seed` alone"
        if state.spec.init_from is None and _same(_weights(state, side), _weights(other, side)):
            return f"the first weights of the {side} are the same for each `seed`: a sweep's seeds would be one"
    torch.set_rng_state(before)
    kept = {  # a forward pass may change buffers
        side: copy.deepcopy(getattr(state.game, side).state_dict()) for side in ("generator", "discriminator")
    }
    turn = first_turn(state)
    drawn = turn.randomness.get_state()
    first = _losses(state.game, turn)
    if not torch.equal(torch.get_rng_state(), before):
        return "draws from torch's global generator: use turn.randomness, or the one that inputs() is given"
    torch.manual_seed(SEED + 1)
    second = _losses(twin.game, first_turn(twin))
    torch.set_rng_state(before)
    for side, weights in kept.items():
        getattr(state.game, side).load_state_dict(weights)
    turn.randomness.set_state(drawn)
    again = _losses(state.game, turn)
    if torch.equal(first, second) and torch.equal(first, again):
        return None
    return "gives other losses for the same networks, batch and randomness"


def _trains(state: TrainingState, dataset: Dataset, folder: Path) -> str | None:
    before = {side: _weights(state, side) for side in ("generator", "discriminator")}
    for _ in range(STEPS):
        for name, value in _step(state).items():
            if not bool(value.isfinite()):
                return f"{name} is {float(value)} after {state.step} steps"
    for side, weights in before.items():
        if _same(weights, _weights(state, side)):
            return f"the {side} did not change in {STEPS} steps"
    return None


def _resumes(state: TrainingState, dataset: Dataset, folder: Path) -> str | None:
    for _ in range(STEPS):
        _step(state)
    Store(folder / "run").save(state.images, {"state": state.tensors()})
    newest = Store(folder / "run").newest()
    assert newest is not None
    resumed = _begun(state.spec, dataset, folder, SEED + 1)
    resumed.restore(newest[1]["state"])
    for _ in range(STEPS):
        _step(state)
        _step(resumed)
    for side in ("generator", "discriminator"):
        if not _same(_weights(state, side), _weights(resumed, side)):
            return f"the {side} of a resumed run is another: keep what changes in buffers, or in auxiliary()"
    return None


def _stacks(state: TrainingState, dataset: Dataset, folder: Path) -> str | None:
    game, turn = state.game, first_turn(state)
    if not game.stackable:
        return None
    for side in ("generator", "discriminator"):
        network = getattr(game, side)
        before = {name: buffer.clone() for name, buffer in network.named_buffers()}
        _losses(game, first_turn(state))
        changed = [name for name, buffer in network.named_buffers() if not torch.equal(buffer, before[name])]
        if changed:
            return f"is stackable, but a forward pass of the {side} changes its buffer {changed[0]}"
    copies = {
        side: {
            name: p.detach().clone().requires_grad_(True)
            for name, p in getattr(game, side).named_parameters()
            if p.requires_grad
        }
        for side in ("generator", "discriminator")
    }

    def functional(side: str) -> Callable[..., Any]:
        return lambda *given: torch.func.functional_call(getattr(game, side), copies[side], given)

    def losses(generator: Any, discriminator: Any) -> dict[str, Tensor]:
        made = replace(turn, randomness=seeded())
        made = replace(made, fake=game.generate(generator, turn.inputs, made.draw), randomness=seeded())
        of_d = game.discriminator_loss(discriminator, made).total()
        made = replace(turned(game, "generator", made), randomness=seeded())
        return {"discriminator": of_d, "generator": game.generator_loss(generator, discriminator, made).total()}

    plain = losses(game.generator, game.discriminator)
    expected: dict[str, tuple[Tensor | None, ...]] = {
        side: torch.autograd.grad(plain[side], _parameters(getattr(game, side)), allow_unused=True) for side in copies
    }
    with torch.no_grad():  # who goes by the game's own networks is now far off
        for weight in (*_parameters(game.generator), *_parameters(game.discriminator)):
            weight.add_(1)
    given = losses(functional("generator"), functional("discriminator"))
    for side, weights in copies.items():
        gradients: tuple[Tensor | None, ...] = torch.autograd.grad(
            given[side], list(weights.values()), allow_unused=True
        )
        for name, ours, theirs in zip(weights, expected[side], gradients, strict=True):
            if ours is None and theirs is None:  # of a network that grows, not its turn yet
                continue
            if ours is None or theirs is None or not torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6):
                return f"is stackable, but its loss of the {side} does not go by the networks it is given ({name})"
    return None


GROUND = ("shapes", "finite gradients", "no hidden state")
CHECKS: dict[str, Callable[[TrainingState, Dataset, Path], str | None]] = {
    "shapes": _shapes,
    "finite gradients": _gradients,
    "no hidden state": _no_hidden_state,
    "trains": _trains,
    "resumes to the bit": _resumes,
    "losses are functions (if stackable)": _stacks,
}


def _losses(game: Game, turn: Turn) -> Tensor:
    of_d = game.discriminator_loss(game.discriminator, turn).total()
    turn = turned(game, "generator", turn)
    return torch.stack([of_d, game.generator_loss(game.generator, game.discriminator, turn).total()])


def _step(state: TrainingState) -> dict[str, Tensor]:
    return step(state, state.batches.next(state.randomness), state.randomness)


def _weights(state: TrainingState, side: str) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in getattr(state.game, side).parameters()]


def _parameters(network: nn.Module) -> list[Tensor]:
    """Those that are trained: some may be frozen."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def _same(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))

"""Every option of every axis, beside every option of each other axis, trains and resumes to the bit."""

from __future__ import annotations

import itertools
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from pipeline.data.dataset import Dataset, load
from pipeline.games.networks.layers import ACTIVATIONS
from pipeline.schema.game import OBJECTIVES, SMOOTHED, ConditionSpec
from pipeline.schema.layers import Init, Minibatch, Norm
from pipeline.schema.networks import FAMILIES
from pipeline.schema.parts import AugmentationSpec, RegularisersSpec
from pipeline.schema.trial import DataSpec, OptimiserSpec, TrialSpec
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from pipeline.training.store import Store

# Parts whose defaults would not be seen in so few steps.
OWN = Path(__file__).resolve().parents[1] / "own_parts.py"
PARTS: dict[str, dict[str, Any]] = {
    "own": {"drift": {"name": f"{OWN}:drift", "interval": 2}, "slow": {"name": f"{OWN}:slow", "weight": 0.1}},
    "lecam": {"start": 3},
    "weight_clipping": {"bound": 0.1},
    "gradient_clipping": {"norm": 0.1},
    **{name: {"weight": 0.1} for name in ("r1", "r2", "wgan_gp", "dragan", "mode_seeking")},
}
APART = ("weight_clipping", "path_length")  # what does not go with everything else
TABLE = f"{OWN}:table"
CONDITIONS = get_args(ConditionSpec.model_fields["kind"].annotation)

# Each axis with its options; what the code lists joins by itself.
AXES: dict[str, list[Any]] = {
    "network": [
        ("ring8", "mlp"),
        (TABLE, "mlp"),
        *(("digits", name) for name, family in FAMILIES.items() if family.game == "adversarial"),
        ("digits", "own"),
    ],
    "objective": [*OBJECTIVES, f"{OWN}:quadratic"],
    "regularisers": [
        {},
        *({name: PARTS.get(name, {})} for name in RegularisersSpec.model_fields),
        {"r1": {"weight": 0.1, "interval": 3}},
        {"r1": {"weight": {"start": 0.1, "ratio": 0.1}}, "lecam": {"weight": {"start": 0.0, "end": 0.3}, "start": 3}},
        {name: PARTS.get(name, {}) for name in RegularisersSpec.model_fields if name not in APART},
    ],
    "augmentation": [
        {},
        *({name: {}} for name in AugmentationSpec.model_fields),
        *({name: {"probability": {"start": 0.1, "end": 0.5}}} for name in AugmentationSpec.model_fields),
    ],
    "packing": [1, 2, 4],
    "label_smoothing": [0.0, 0.1],
    "condition": [None, *((kind, norm) for kind in CONDITIONS for norm in ("none", "conditional_batch"))],
    "dropout": [0.0, 0.3],
    "minibatch": list(get_args(Minibatch)),
    "norm_g": list(get_args(Norm)),
    "norm_d": list(get_args(Norm)),
    "activation": [None, *ACTIVATIONS, "maxout"],
    "init": list(get_args(Init)),
    "optimiser": [
        {},
        {"beta1": 0.0, "beta2": {"start": 0.9, "end": 0.99}},
        {"beta1_d": 0.0, "beta2_d": 0.99, "weight_decay": 1e-3},
    ],
    "discriminator_steps": [1, 2, 3],
    "schedule": list(get_args(OptimiserSpec.model_fields["schedule"].annotation)),
    "latent": [{"distribution": "gaussian", "size": 4}, {"distribution": "uniform", "size": 4}],
    "ema": [0.0, 50.0, 10_000.0, {"start": 0.0, "end": 50.0}],
    "microbatch": [None, 8],
    "precision": ["fp32", "bf16"],
    "memory_format": ["contiguous", "channels_last"],
    "init_from": [None, 0, 1, 2],  # the blocks of D that are frozen
}
# What a family alone has, beside what all are asked for; one that chooses a thing itself is not asked for it.
OPTIONS: dict[str, dict[str, Any]] = {"resnet": {"attention": 4}, "infogan": {"units": 8}}
CHOSEN: dict[str, set[str]] = {family: {"norm", "init"} for family in ("r3gan", "progressive", "stylegan2")}
# Before and after the checkpoint; no multiple of the intervals, so the turns are part of the state, and enough that the
# generator has two steps: what is behind weights that start at 0 has no gradient in the first one.
STEPS = 7


def tree(case: dict[str, Any], source: dict[str, Any] | None = None) -> dict[str, Any]:
    data, family = case["network"]
    kind, norm_of_class = case["condition"] or (None, None)
    norms = {"generator": norm_of_class if norm_of_class == "conditional_batch" else case["norm_g"]}
    norms["discriminator"] = case["norm_d"]
    asked = {"width": 4, "depth": 2, "activation": case["activation"], "init": case["init"]} | OPTIONS.get(family, {})
    sides = {side: {"network": family, "norm": norms[side]} | asked for side in ("generator", "discriminator")}
    for side in sides:
        # Behind weights of deviation 0.02, or before a norm that takes away what all places have, the gradients of four
        # channels' attention are 1e-16 to 1e-20: Adam's epsilon leaves nothing of them.
        if family == "resnet" and (case["init"] == "normal" or norms[side] == "instance"):
            del sides[side]["attention"]
    if family == "resnet" and "batch" in norms["generator"]:
        sides["generator"]["skip_latent"] = True
    if family in FAMILIES:
        known = FAMILIES[family].generator.model_fields.keys() - CHOSEN.get(family, set())
        sides = {side: {key: value for key, value in given.items() if key in known} for side, given in sides.items()}
    sides["discriminator"] |= {"dropout": case["dropout"], "minibatch": case["minibatch"]}
    if family == "own":
        sides = {side: {"network": f"{OWN}:{side.capitalize()}", "options": {"width": 4}} for side in sides}
    game = {name: case[name] for name in ("objective", "packing", "label_smoothing")}
    chosen = {"discriminator_steps": case["discriminator_steps"], "schedule": case["schedule"]}
    return sides | {
        "data": {"name": data},
        "budget": {"images": 2 * STEPS * 16},
        "evaluation": {"every": 16},
        "game": game | ({"condition": {"kind": kind}} if kind else {}),
        "augmentation": case["augmentation"],
        "regularisers": case["regularisers"],
        "optimiser": {"lr_g": 1e-3, "lr_d": 1e-3} | case["optimiser"] | chosen,
        "latent": case["latent"],
        "ema": {"half_life": case["ema"]},
        "batch_size": 16,
        "microbatch": case["microbatch"],
        "device": "cpu",
        "precision": case["precision"],
        "memory_format": case["memory_format"],
        "init_from": source,
    }


Pair = tuple[tuple[str, int], tuple[str, int]]


def pairs(case: dict[str, int]) -> set[Pair]:
    return set(itertools.combinations(sorted(case.items()), 2))


def possible(case: dict[str, int]) -> bool:
    """Whether a whole case can be built; what cannot is refused by the spec, which tests/spec holds."""
    one = {name: AXES[name][at] for name, at in case.items()}
    data, family = one["network"]
    points, parts = data in ("ring8", TABLE), one["regularisers"]
    return not (
        (family == "mlp" and "instance" in (one["norm_g"], one["norm_d"]))
        or (family not in ("mlp", "own") and one["activation"] == "maxout")
        or (points and (one["augmentation"] or one["condition"] or "consistency" in parts))
        or (data == TABLE and one["init"] == "normal")  # of 4 units at deviation 0.02 all may die in a step
        or ("weight_clipping" in parts and one["norm_d"] == "spectral")
        or ("path_length" in parts and family != "stylegan2")
        or ("weight_clipping" in parts and family in ("progressive", "stylegan2"))
        or (family == "own" and (one["condition"] or ("", ""))[1] == "conditional_batch")
        or (family == "own" and one["init_from"] == 2)  # it has one block
        or (one["label_smoothing"] and one["objective"] not in SMOOTHED)
        or (one["condition"] and one["packing"] > 1)
    )


# The options that go with most others.
PLAIN = dict.fromkeys(AXES, 0) | {
    "network": AXES["network"].index(("digits", "dcgan")),
    "init": AXES["init"].index("xavier"),
}


def drawn(pair: Pair, draw: random.Random, tries: int = 30) -> dict[str, int] | None:
    """A possible case with both options of the pair; None where there is none. Of a pair that goes with little else,
    as points with what is for images, the plainest one: it would be drawn once in thousands."""
    for share in (1.0, 0.5, 0.25):
        for _ in range(tries):
            case = {
                name: draw.randrange(len(options)) if draw.random() < share else PLAIN[name]
                for name, options in AXES.items()
            } | dict(pair)
            if possible(case):
                return case
    return plainest if possible(plainest := PLAIN | dict(pair)) else None


def covering() -> list[dict[str, int]]:
    """Cases in which every possible pair of options is met: greedy, the best of some draws at a time."""
    draw, names, cases = random.Random(0), sorted(AXES), []
    every = (
        ((a, i), (b, j))
        for a, b in itertools.combinations(names, 2)
        for i in range(len(AXES[a]))
        for j in range(len(AXES[b]))
    )
    left = {pair for pair in every if drawn(pair, draw)}
    while left:
        found = [drawn(pair, draw) for pair in draw.sample(sorted(left), min(len(left), 40))]
        if not any(found):  # a pair that few cases have, not drawn this time
            continue
        best = max((case for case in found if case), key=lambda case: len(pairs(case) & left))
        cases.append(best)
        left -= pairs(best)
    return cases


CASES = [{name: AXES[name][at] for name, at in case.items()} for case in covering()]


def test_every_pair_that_can_be_built_is_met() -> None:
    """Of each family with each condition, norm, objective and part; no pair is left out for being rare."""
    met = {
        (name, repr(case[name]), other, repr(case[other]))
        for case in CASES
        for name, other in itertools.combinations(sorted(case), 2)
    }
    for name, other in itertools.combinations(sorted(AXES), 2):
        for (at, one), (also, two) in itertools.product(enumerate(AXES[name]), enumerate(AXES[other])):
            if possible(PLAIN | {name: at, other: also}):
                assert (name, repr(one), other, repr(two)) in met


def title(case: dict[str, Any]) -> str:
    objective = case["objective"].rpartition(":")[2]
    first = "-".join(map(str, (*case["network"], objective, *case["regularisers"], *case["augmentation"])))
    return f"{first}-{case['norm_g']}-{case['norm_d']}-{case['condition']}-{case['packing']}"


def test_every_axis_is_an_axis_of_the_spec() -> None:
    """What the spec has is in the table above, by a key of its own or within one."""
    keys = set(tree(CASES[0]))
    assert TrialSpec.model_fields.keys() == keys


@pytest.mark.parametrize("case", CASES, ids=title)
def test_trains_and_resumes_to_the_bit(case: dict[str, Any], tmp_path: Path) -> None:
    spec = TrialSpec.model_validate(tree(case, source(case, tmp_path / "source")))
    state = initial(spec, data(spec.data.name), seed=3)
    start = copied(state.tensors())
    train(state)
    moved(start, state)

    name = Store(tmp_path).save(state.images, {"state": state.tensors()})
    train(state)
    found = Store(tmp_path).newest()
    assert found is not None
    assert found[0] == name
    resumed = initial(spec, data(spec.data.name), seed=4, restored=True)
    resumed.restore(found[1]["state"])
    train(resumed)
    assert difference(state.tensors(), resumed.tensors()) == []
    assert (state.ema is state.game.generator) == (case["ema"] == 0)


@cache
def data(name: str) -> Dataset:
    with TemporaryDirectory() as folder:
        return load(DataSpec(name=name), None, Path(folder))


def train(state: TrainingState) -> None:
    for _ in range(STEPS):
        measured = step(state, state.batches.next(state.randomness), state.randomness)
        turn = state.step % state.spec.optimiser.discriminator_steps == 0
        assert ("loss_g" in measured) == turn
        assert all(value.dim() == 0 and bool(value.isfinite()) for value in measured.values())


def source(case: dict[str, Any], folder: Path) -> dict[str, Any] | None:
    """A checkpoint of the same networks, a step old, to start from."""
    if case["init_from"] is None:
        return None
    spec = TrialSpec.model_validate(tree(case))
    state = initial(spec, data(spec.data.name), seed=9)
    step(state, state.batches.next(state.randomness), state.randomness)
    content = {"state": state.tensors(), "spec": spec.model_dump(mode="json")}
    path = folder / Store(folder).save(state.images, content)
    return {"path": str(path), "freeze_discriminator": case["init_from"]}


def moved(before: dict[str, Any], state: TrainingState) -> None:
    """Every weight of both sides that is trained, and of the average, went somewhere and is a number."""
    after = state.tensors()
    frozen = {name for name, value in state.game.discriminator.named_parameters() if not value.requires_grad}
    for side in ("generator", "discriminator", "ema"):
        assert all(bool(value.isfinite().all()) for value in after[side].values())
        network = state.ema if side == "ema" else getattr(state.game, side)
        weights = {name for name, value in network.named_parameters() if value.dim() > 1}
        still = {name for name in weights if torch.equal(before[side][name], after[side][name])}
        assert still == (frozen & weights if side == "discriminator" else set())


def copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    return value.clone() if isinstance(value, Tensor) else value


def difference(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two states are not the same to the bit."""
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [path]
        return [found for key in one for found in difference(one[key], other[key], f"{path}/{key}")]
    if isinstance(one, Tensor):
        return [] if one.dtype == other.dtype and torch.equal(one, other) else [path]
    return [] if one == other else [path]

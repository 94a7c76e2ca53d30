"""The step: what it measures, whose turn it is, the average, the schedule, and that it never waits for the device."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.games.game import Losses
from pipeline.schema.optimiser import OPTIMISERS
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step, win_rate
from tests.training.toy import BATCH, evaluator, spec


def start(seed: int = 1, **changes: Any) -> TrainingState:
    return initial(spec(**changes), evaluator().dataset, seed)


def advance(state: TrainingState) -> dict[str, Tensor]:
    return step(state, state.batches.next(state.randomness), state.randomness)


def weights(network: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def moved(before: list[Tensor], network: torch.nn.Module) -> bool:
    return any(not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [
        ([1.0, 2.0], [0.0, -5.0], 1.0),
        ([0.0, -5.0], [1.0, 2.0], 0.0),
        ([1.0, 3.0], [2.0, 0.0], 0.75),
        ([1.0, 1.0], [1.0, 1.0], 0.5),
        ([1.0, 2.0], [1.0, 0.0], 0.875),  # one tie among four pairs
        ([1e30, 1e30], [-1e30, -1e30], 1.0),
        ([math.nan, 1.0], [0.0, 0.0], math.nan),
        ([1.0, 1.0], [0.0, math.nan], math.nan),
        ([math.inf, 1.0], [math.inf, 0.0], math.nan),
    ],
)
def test_win_rate(real: list[float], fake: list[float], expected: float) -> None:
    assert float(win_rate(torch.tensor(real), torch.tensor(fake))) == pytest.approx(expected, nan_ok=True)


def test_win_rate_is_the_share_of_pairs() -> None:
    randomness = torch.Generator().manual_seed(0)
    real, fake = torch.randn(50, generator=randomness) + 0.5, torch.randn(50, generator=randomness)
    pairs = [float(r > f) for r in real for f in fake]
    assert float(win_rate(real, fake)) == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize("every", [1, 2, 5])
def test_the_generator_has_every_nth_turn(every: int) -> None:
    state = start(optimiser={"discriminator_steps": every})
    for number in range(1, 11):
        generator, ema = weights(state.game.generator), weights(state.ema)
        discriminator = weights(state.game.discriminator)
        measured = advance(state)
        turn = number % every == 0
        assert moved(discriminator, state.game.discriminator)
        assert moved(generator, state.game.generator) == turn
        assert moved(ema, state.ema) == turn
        assert ("loss_g" in measured) == turn
    assert (state.step, state.images) == (10, 10 * BATCH)
    assert (state.window_d.steps, state.window_g.steps) == (10, 10 // every)


def test_the_generators_turn_leaves_no_trace_in_the_discriminator() -> None:
    """Its weights move by the discriminator's own gradient alone, and need a gradient again afterwards."""
    with_turn, without = (start(optimiser={"discriminator_steps": n}) for n in (1, 2))
    advance(with_turn)
    advance(without)
    assert not moved(weights(with_turn.game.discriminator), without.game.discriminator)
    assert all(parameter.requires_grad for parameter in with_turn.game.discriminator.parameters())


def test_what_is_measured_is_what_was_done() -> None:
    """Against the same step by hand, of plain networks: losses, norms of the gradients, one Adam step each."""
    plain = {"network": "mlp", "width": 8, "depth": 2}
    state = start(generator=plain, discriminator=plain, regularisers={}, optimiser={"lr_d": 1e-3, "lr_g": 2e-3})
    twin = start(generator=plain, discriminator=plain, regularisers={}, optimiser={"lr_d": 1e-3, "lr_g": 2e-3})
    measured = advance(state)

    real = twin.batches.next(twin.randomness)["real"]
    generator, discriminator = twin.game.generator, twin.game.discriminator
    fake = generator(torch.randn(BATCH, 2, generator=twin.randomness))
    softplus = torch.nn.functional.softplus
    loss_d = (softplus(-discriminator(real)) + softplus(discriminator(fake.detach()))).mean()
    expected = {"loss_d": loss_d.detach(), "discriminator_gradient_norm": descend(loss_d, discriminator, 1e-3)}
    loss_g = softplus(-discriminator(fake)).mean()
    expected |= {"loss_g": loss_g.detach(), "generator_gradient_norm": descend(loss_g, generator, 2e-3)}
    for name, value in expected.items():
        torch.testing.assert_close(measured[name], value)
    for name in ("generator", "discriminator"):
        for ours, theirs in zip(weights(getattr(state.game, name)), weights(getattr(twin.game, name)), strict=True):
            torch.testing.assert_close(ours, theirs)


def descend(loss: Tensor, network: torch.nn.Module, lr: float) -> Tensor:
    """Adam's first step, in which the bias corrections cancel the betas; returns the gradient's norm."""
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter -= lr * gradient / (gradient.abs() + 1e-8)
    return torch.cat([gradient.flatten() for gradient in gradients]).norm()


def test_the_window_is_the_mean_since_it_was_read() -> None:
    state = start()
    steps = [advance(state) for _ in range(9)]
    found = state.window_d.means() | state.window_g.means()
    names = {name for measured in steps for name in measured}
    assert found.keys() - names == {"loss_d.adversarial", "loss_d.r1"}
    for name in names:
        values = [float(measured[name]) for measured in steps if name in measured]
        assert found[name] == pytest.approx(sum(values) / len(values), rel=1e-5)
    state.window_d.reset()
    assert state.window_d.means() == {}
    (again,) = (advance(state) for _ in range(1))
    assert state.window_d.means()["loss_d"] == pytest.approx(float(again["loss_d"]))


def test_the_window_has_what_a_loss_is_made_of_and_what_the_game_measures() -> None:
    state = start(regularisers={"r1": {"weight": 1.0, "interval": 4}})
    original, terms, seen = state.game.discriminator_loss, [], iter((1.0, 3.0, 5.0, 7.0))

    def measuring(*arguments: Any) -> Losses:
        losses = original(*arguments)
        terms.append({name: float(mean.detach()) for name, mean in losses.means.items()})
        measured = {"margin": torch.tensor(next(seen))} if state.step % 2 == 0 else {}
        return dataclasses.replace(losses, measurements=measured)

    state.game.discriminator_loss = measuring  # type: ignore[method-assign]
    for _ in range(8):
        advance(state)
    found = state.window_d.means()
    assert found["loss_d.r1"] == pytest.approx(sum(each.get("r1", 0.0) for each in terms) / 8, rel=1e-5)
    assert found["loss_d.adversarial"] + found["loss_d.r1"] == pytest.approx(found["loss_d"], rel=1e-5)
    assert found["game.margin"] == 4.0  # of the steps that have it
    assert not any(name.startswith("loss_g.") for name in state.window_g.means())  # one term alone is the loss
    state.window_d.reset()
    assert state.window_d.means() == {}


@pytest.mark.parametrize(("every", "ramp"), [(1, 0.05), (3, 0.05), (1, 0.1), (1, None)])
def test_the_average_is_the_formula(every: int, ramp: float | None) -> None:
    """ema = b ema + (1 - b) weights with b = 0.5^(images of the turn / half-life), the half-life at most `ramp` of the
    images so far (Karras et al. 2020); batch norm's statistics are averaged like weights, its counter is copied."""
    ema = {"half_life": 20.0} if ramp == 0.05 else {"half_life": 20.0, "ramp": ramp}
    state = start(optimiser={"discriminator_steps": every, "lr_g": 1e-2}, ema=ema)
    expected = {name: value.clone() for name, value in state.ema.state_dict().items()}
    ramped = []
    for number in range(1, 25):
        advance(state)
        if number % every:
            continue
        half_life = 20.0 if ramp is None else min(20.0, ramp * number * BATCH)
        ramped.append(half_life < 20.0)
        beta = 0.5 ** (every * BATCH / half_life)
        for name, value in state.game.generator.state_dict().items():
            averaged = beta * expected[name] + (1 - beta) * value
            expected[name] = averaged if value.is_floating_point() else value.clone()
    assert set(ramped) == ({False} if ramp is None else {True, False})
    found = state.ema.state_dict()
    assert {name.rpartition(".")[2] for name in found} >= {"running_mean", "running_var", "num_batches_tracked"}
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)


def test_without_an_average_the_trained_generator_is_sampled() -> None:
    state = start(ema={"half_life": 0.0})
    advance(state)
    assert state.ema is state.game.generator


@pytest.mark.parametrize(
    ("schedule", "final"),
    [("constant", None), ("linear", None), ("linear", 0.25), ("cosine", None), ("cosine", 0.25)],
)
def test_the_schedule(schedule: str, final: float | None) -> None:
    """cosine: final + (1 - final) * (1 + cos(pi t / T)) / 2 of the rate (Loshchilov and Hutter 2017, eq. 5), and with
    a final of 1/4 that of R3GAN's code, from 2e-4 to 5e-5."""
    optimiser = {"lr_g": 1e-3, "lr_d": 4e-3, "schedule": schedule, "final_rate": final}
    state = start(optimiser=optimiser)
    total, rates = state.spec.budget.images, []
    while state.images < total:
        advance(state)
        rates.append([group["lr"] for o in (state.optimiser_g, state.optimiser_d) for group in o.param_groups])
    steps = total // BATCH
    for number, found in enumerate(rates):
        cosine = (1 + math.cos(math.pi * number / steps)) / 2
        left = {"constant": 1.0, "linear": 1 - number / steps, "cosine": cosine}[schedule]
        left = (final or 0.0) + (1 - (final or 0.0)) * left
        assert found == pytest.approx([left * 1e-3, left * 4e-3])
    assert schedule == "constant" or rates[-1][0] < ((final or 0.0) + 0.02) * 1e-3


def test_a_rate_is_held_and_warmed_up() -> None:
    state = start(optimiser={"lr_g": 1e-3, "schedule": "linear", "hold": 0.5, "warmup": 4 * BATCH})
    total, rates = state.spec.budget.images, []
    while state.images < total:
        advance(state)
        rates.append(state.optimiser_g.param_groups[0]["lr"])
    steps = total // BATCH
    assert rates[:5] == pytest.approx([1e-3 * share for share in (0.2, 0.4, 0.6, 0.8, 1.0)])
    assert rates[5 : steps // 2 + 1] == pytest.approx([1e-3] * (steps // 2 - 4))
    late = [2e-3 * (1 - number / steps) for number in range(steps // 2 + 1, steps)]
    assert rates[steps // 2 + 1 :] == pytest.approx(late)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_optimiser_is_torchs_with_the_specs_numbers_and_goes_on_after_a_restart(name: str) -> None:
    numbers = {"lr_g": 3e-3, "beta1": 0.3, "beta2": 0.95, "beta2_d": 0.8, "weight_decay": 0.01}
    state = start(optimiser={"name": name, **numbers})
    for side, beta2 in (("generator", 0.95), ("discriminator", 0.8)):
        mine = state.optimiser_g if side == "generator" else state.optimiser_d
        (group,) = mine.param_groups
        assert type(mine).__module__.startswith("torch.optim")
        assert (group["lr"], group["weight_decay"]) == (3e-3, 0.01)
        averages = (group["momentum"], group["alpha"]) if name == "rmsprop" else group["betas"]
        assert averages == (0.3, beta2)
    for _ in range(3):
        advance(state)
    saved = copy.deepcopy(state.tensors())
    advance(state)
    again = start(optimiser={"name": name, **numbers})
    again.restore(saved)
    advance(again)
    for one, other in zip(state.game.generator.parameters(), again.game.generator.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("given", "rates"),
    [
        ({}, (2e-3, 2e-3)),
        ({"lr_d": 5e-3}, (2e-3, 5e-3)),
        ({"lr_ratio": 4.0}, (2e-3, 8e-3)),
        ({"lr_ratio": 1.0}, (2e-3,) * 2),
    ],
)
def test_the_rates_of_both_sides(given: dict[str, float], rates: tuple[float, float]) -> None:
    """lr_d is the discriminator's rate, lr_ratio that over the generator's; both sides are trained at them."""
    state = start(optimiser={"lr_g": 2e-3} | given)
    assert state.spec.optimiser.rates == rates
    assert tuple(o.param_groups[0]["lr"] for o in (state.optimiser_g, state.optimiser_d)) == rates


def test_each_side_has_its_own_adam() -> None:
    state = start(optimiser={"lr_g": 1e-3, "lr_d": 2e-3, "beta1": 0.5, "beta2": 0.9, "beta2_d": 0.99})
    ((of_g,), (of_d,)) = (state.optimiser_g.param_groups, state.optimiser_d.param_groups)
    assert (of_g["lr"], of_g["betas"]) == (1e-3, (0.5, 0.9))
    assert (of_d["lr"], of_d["betas"]) == (2e-3, (0.5, 0.99))


def test_a_lazy_term_is_due_every_nth_step_at_n_times_its_weight() -> None:
    seen: list[dict[str, float]] = []
    state = start(regularisers={"r1": {"weight": 1.0, "interval": 3}, "wgan_gp": {"weight": 1.0, "interval": 2}})
    original = state.game.discriminator_loss
    state.game.discriminator_loss = lambda *a: (seen.append(dict(a[-1].due)), original(*a))[1]  # type: ignore[method-assign]
    for _ in range(6):
        advance(state)
    r1, gp = {"r1": 3.0}, {"wgan_gp": 2.0}
    assert seen == [r1 | gp, {}, gp, r1, gp, {}]


class NoWaiting(TorchDispatchMode):
    """Raises at what makes the host wait for the device: reading a value, or a shape that depends on one."""

    WAITS = ("_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "equal", "unique")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        masked = func.overloadpacket is torch.ops.aten.index and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if masked or func.overloadpacket.__name__.startswith(self.WAITS):
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


IMAGE = {
    "data": {"name": "digits"},
    "generator": {"network": "dcgan", "width": 4, "depth": 2, "norm": "batch"},
    "discriminator": {"network": "dcgan", "width": 4, "depth": 2, "norm": "spectral"},
}


@pytest.mark.parametrize("changes", [{}, IMAGE, {"precision": "bf16"}, {"ema": {"half_life": 0.0}}])
def test_a_step_never_waits_for_the_device(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"r1": {"weight": 1.0}, "wgan_gp": {"weight": 1.0}}
    dataset = evaluator().dataset
    if changes is IMAGE:
        images = torch.randint(0, 256, (100, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        dataset = dataclasses.replace(dataset, kind="image", train=images)
    state = initial(spec(**{"regularisers": both} | changes), dataset, 1)

    def waits(*_: Any, **__: Any) -> Any:
        raise AssertionError("a value is read on the host")

    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "__index__", "numpy", "cpu"):
        monkeypatch.setattr(Tensor, name, waits)
    with NoWaiting():
        measured = [advance(state) for _ in range(4)]
    monkeypatch.undo()
    assert all(bool(value.isfinite()) for one in measured for value in one.values())


def test_the_guard_above_sees_waiting() -> None:
    with NoWaiting(), pytest.raises(AssertionError, match="waits"):
        torch.ones(2).sum().item()
    with NoWaiting(), pytest.raises(AssertionError, match="waits"):
        torch.ones(2)[torch.ones(2) > 0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_a_step_never_waits() -> None:
    """By CUDA's own word: it raises where the host would wait for the device."""
    images = torch.randint(0, 256, (100, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    dataset = dataclasses.replace(evaluator().dataset, kind="image", train=images)
    gpu = {"device": "cuda", "precision": "bf16", "memory_format": "channels_last"}
    both = {"r1": {"weight": 1.0}, "wgan_gp": {"weight": 1.0}}
    state = initial(spec(**IMAGE | gpu | {"regularisers": both}), dataset, 1)
    measured = [advance(state) for _ in range(4)]  # what is set up once may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        measured += [advance(state) for _ in range(4)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(bool(value.isfinite()) for one in measured for value in one.values())


def test_points_are_not_rounded_to_bf16_where_images_are() -> None:
    full, fast = ("fp32", "contiguous"), ("bf16", "channels_last")
    own = str(Path(__file__).parents[1] / "own_parts.py")
    kinds = (
        *(("ring8", "mlp", full), ("ring8", f"{own}:Generator", full)),
        *(("digits", "dcgan", fast), ("digits", f"{own}:Generator", fast)),
        (f"{own}:table", f"{own}:Generator", full),  # before it is opened nothing says that it is images
    )
    for data, network, found in kinds:
        networks = {"generator": {"network": network}, "discriminator": {"network": network.replace("Gen", "Discrim")}}
        spec = TrialSpec.model_validate(
            {"data": {"name": data}, "budget": {"images": 64}, "evaluation": {"every": 64}, **networks}
        )
        there = resolve(spec, cuda=True)
        assert (there.precision, there.memory_format) == found


def test_bf16_computes_in_bf16_and_keeps_float32_weights() -> None:
    half, full = start(precision="bf16"), start()
    for _ in range(3):
        lower, higher = advance(half), advance(full)
    assert float(lower["loss_d"]) != float(higher["loss_d"])
    assert float(lower["loss_d"]) == pytest.approx(float(higher["loss_d"]), rel=0.05)
    assert {p.dtype for p in (*half.game.generator.parameters(), *half.ema.parameters())} == {torch.float32}

"""The loss terms beside the objective: a value per score, with their weight; gradients of D through one helper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import relu

from pipeline import plugin
from pipeline.errors import InputError
from pipeline.games.augment import transformed
from pipeline.games.game import Side
from pipeline.games.networks.own import shape_of
from pipeline.schema.base import Strict, scalar_keys
from pipeline.schema.parts import (
    ConsistencySpec,
    DraganSpec,
    DriftSpec,
    LecamSpec,
    ModeSeekingSpec,
    OwnTermSpec,
    R1Spec,
    R2Spec,
    WganGpSpec,
)
from pipeline.schema.schedule import value_at

Discriminator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Seen:
    """What a term of the discriminator's loss is made of. real, fake: what one score is of, (scores, ...): samples,
    or packs of them as (scores, packing, ...). discriminator: from those to scores, with all input transforms and
    the condition within. scalars: the term's hyperparameters that enter as numbers, 0-dimensional, so that runs that
    differ in them alone can share a graph. auxiliary: the state of the term itself. step: from 0, of the side whose
    steps the term counts (Regulariser.counted)."""

    discriminator: Discriminator
    real: Tensor
    fake: Tensor
    real_scores: Tensor
    fake_scores: Tensor
    randomness: torch.Generator
    scalars: Mapping[str, Tensor] = field(default_factory=dict)
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    step: int = 0
    sample_axes: int = 1  # of one sample: 1 for points, 3 for images


def input_gradient(discriminator: Discriminator, x: Tensor, stacked: bool = False) -> Tensor:
    """The gradient of D's scores at its input, (batch, ...) like `x`, differentiable once more.

    The scores are summed first: without coupling between samples (batch norm couples them) row i is the gradient
    of score i. `stacked`: under torch.func transforms, where torch.autograd.grad raises.
    """
    if stacked:
        of_sum: Tensor = torch.func.grad(lambda at: discriminator(at).sum())(x)
        return of_sum
    at = x.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(discriminator(at).sum(), at, create_graph=True)
    return gradient


def squared_norm(gradient: Tensor) -> Tensor:
    """|g|^2 of each sample, (batch,)."""
    return gradient.float().flatten(1).square().sum(1)


def r1(seen: Seen, spec: R1Spec) -> Tensor:
    """weight / 2 * |grad D(real)|^2 (Mescheder et al. 2018, eq. 9)."""
    return 0.5 * seen.scalars["weight"] * squared_norm(input_gradient(seen.discriminator, seen.real))


def r2(seen: Seen, spec: R2Spec) -> Tensor:
    """weight / 2 * |grad D(fake)|^2 (Mescheder et al. 2018, eq. 10)."""
    return 0.5 * seen.scalars["weight"] * squared_norm(input_gradient(seen.discriminator, seen.fake))


def wgan_gp(seen: Seen, spec: WganGpSpec) -> Tensor:
    """weight * (|grad D(mix)| - 1)^2 at a random point between real and fake (Gulrajani et al. 2017, eq. 3)."""
    mix = torch.lerp(seen.real, seen.fake.detach().to(seen.real.dtype), _share(seen))
    return seen.scalars["weight"] * _off_one(input_gradient(seen.discriminator, mix))


def dragan(seen: Seen, spec: DraganSpec) -> Tensor:
    """weight * (|grad D(near)| - 1)^2 near each real (Kodali et al. 2017, sec. 2.3), the noise as in the authors'
    code: a random share of 0.5 * (standard deviation of the batch) * U(0, 1) in each dimension."""
    real = seen.real
    noise = torch.rand(real.shape, generator=seen.randomness, device=real.device, dtype=real.dtype)
    near = real + _share(seen) * 0.5 * real.std() * noise
    return seen.scalars["weight"] * _off_one(input_gradient(seen.discriminator, near))


def drift(seen: Seen, spec: DriftSpec) -> Tensor:
    """weight * D(real)^2 (Karras et al. 2018, app. A.1)."""
    return seen.scalars["weight"] * seen.real_scores.square()


def lecam(seen: Seen, spec: LecamSpec) -> Tensor:
    """weight * (relu(D(real) - a_F)^2 + relu(a_R - D(fake))^2) with the running averages a_R and a_F of the scores
    (Tseng et al. 2021, eq. 5, rectified as in the authors' code); 0 until G has made more than `start` steps."""
    if seen.step <= spec.start:
        return torch.zeros_like(seen.real_scores)
    anchors = advance_lecam(seen.auxiliary, seen.real_scores, seen.fake_scores, seen.step, spec)
    above, below = relu(seen.real_scores - anchors["fake"]), relu(anchors["real"] - seen.fake_scores)
    return seen.scalars["weight"] * (above.square() + below.square())


def advance_lecam(
    anchors: Mapping[str, Tensor], real_scores: Tensor, fake_scores: Tensor, step: int, spec: LecamSpec
) -> dict[str, Tensor]:
    """The running averages with this step's scores in them; before G's step `start` (from 0) the last scores alone,
    as in the authors' code, and in its first step too: theirs would begin with averages of 1000."""
    decay = spec.decay if step >= max(spec.start, 1) else 0.0
    new = {"real": real_scores, "fake": fake_scores}
    return {side: decay * anchors[side] + (1 - decay) * scores.detach().mean() for side, scores in new.items()}


def consistency(seen: Seen, spec: ConsistencySpec) -> Tensor:
    """weight_real * (D(x) - D(T(x)))^2 + weight_fake * (D(G(z)) - D(T(G(z))))^2 (Zhao et al. 2020, alg. 1)."""

    def moved(x: Tensor) -> Tensor:
        images = x.reshape(-1, *x.shape[x.dim() - seen.sample_axes :])
        return seen.discriminator(transformed(images, spec.transform, seen.randomness).view_as(x))

    of_real = (seen.real_scores - moved(seen.real)).square()
    of_fake = (seen.fake_scores - moved(seen.fake)).square()
    return seen.scalars["weight_real"] * of_real + seen.scalars["weight_fake"] * of_fake


def mode_seeking(
    fakes: tuple[Tensor, Tensor], latents: tuple[Tensor, Tensor], spec: ModeSeekingSpec, share: float = 0.0
) -> Tensor:
    """weight / (mean|G(z1) - G(z2)| / mean|z1 - z2| + 1e-5) (Mao et al. 2019, eq. 4, as in their code)."""
    apart = (fakes[0].float() - fakes[1].float()).abs().mean() / (latents[0] - latents[1]).abs().mean()
    return value_at(spec.weight, share) / (apart + 1e-5)


def _share(seen: Seen) -> Tensor:
    """U(0, 1) for each score, to be broadcast over what it is of."""
    shape = (seen.real.shape[0], *[1] * (seen.real.dim() - 1))
    return torch.rand(shape, generator=seen.randomness, device=seen.real.device, dtype=seen.real.dtype)


def _off_one(gradient: Tensor) -> Tensor:
    """(|g| - 1)^2 of each sample."""
    # The root has no finite gradient at 0: the smallest normal number keeps it finite and changes no other value.
    norm = (squared_norm(gradient) + torch.finfo(torch.float32).tiny).sqrt()
    return (norm - 1).square()


def scalars_of(part: Strict, share: float = 0.0) -> dict[str, Tensor]:
    """Seen.scalars of a term's spec when `share` of the budget is spent."""
    keys = sorted(scalar_keys(type(part)) & type(part).model_fields.keys())
    return {key: torch.tensor(float(value_at(getattr(part, key), share))) for key in keys}


def scheduled(part: Strict) -> bool:
    """Whether some number of a term's spec has a schedule."""
    return any(isinstance(value, Strict) for _, value in part)


@dataclass(frozen=True)
class Regulariser:
    """A term of D's loss: penalty(seen, its spec). One with a state names its tensors, which begin at 0, and says
    how a step advances them: advance(state, real scores, fake scores, step, its spec). counted: in whose steps the
    term counts, in Seen.step and as the step that it is advanced by."""

    penalty: Callable[[Seen, Any], Tensor]
    state: tuple[str, ...] = ()
    advance: Callable[..., dict[str, Tensor]] | None = None
    counted: Side = "discriminator"


def own_term(label: str, spec: OwnTermSpec) -> Regulariser:
    """A term of the user's own: function(seen, options) -> a value per score, or a Regulariser of such functions,
    which are given the options in place of a spec. Raises InputError for anything else."""
    resolved = plugin.resolve(spec.name)
    if not isinstance(resolved, Regulariser) and (isinstance(resolved, type) or not callable(resolved)):
        raise InputError(
            f'regularisers.own.{label}: "{spec.name}" is a {type(resolved).__name__}; valid: a function of '
            "(seen, options), or a Regulariser of games.regularisers"
        )
    theirs = resolved if isinstance(resolved, Regulariser) else Regulariser(resolved)
    if theirs.state and theirs.advance is None:
        raise InputError(
            f'regularisers.own.{label}: "{spec.name}" has the state {", ".join(theirs.state)} and no advance; '
            "valid: a function that gives the state after a step"
        )

    def penalty(seen: Seen, spec: OwnTermSpec) -> Tensor:
        value = theirs.penalty(seen, spec.options)
        if not isinstance(value, Tensor) or value.shape not in ((), seen.real_scores.shape):
            raise InputError(
                f'regularisers.own.{label}: "{spec.name}" returned {shape_of(value)}; valid: a tensor of '
                f"{tuple(seen.real_scores.shape)}, a value per score, or a scalar"
            )
        return seen.scalars["weight"] * value

    def advance(state: Any, real_scores: Tensor, fake_scores: Tensor, step: int, spec: OwnTermSpec) -> Any:
        assert theirs.advance is not None
        return theirs.advance(state, real_scores, fake_scores, step, spec.options)

    return Regulariser(penalty, theirs.state, advance if theirs.advance else None, theirs.counted)


# By the rows of schema/parts.RegularisersSpec.
R1, R2, WGAN_GP, DRAGAN = Regulariser(r1), Regulariser(r2), Regulariser(wgan_gp), Regulariser(dragan)
DRIFT = Regulariser(drift)
LECAM = Regulariser(lecam, ("real", "fake"), advance_lecam, counted="generator")
CONSISTENCY = Regulariser(consistency)

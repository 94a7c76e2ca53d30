"""The objectives: what each side minimises, a value per sample, as functions of the discriminator's scores (logits)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from pipeline import plugin
from pipeline.errors import InputError
from pipeline.schema.game import OBJECTIVES
from pipeline.schema.rows import at

Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Objective:
    """Both take the scores of reals and of fakes, (batch,) each, and give (batch,). The discriminator's takes a
    third argument where its reals have a target: the smoothing, by which the target is lowered from 1.
    paired: the generator's loss reads the reals' scores too (relativistic objectives); without it they are not
    computed for it. midpoint: the score of a sample that D takes for neither; None where only differences of
    scores mean anything."""

    discriminator: Loss
    generator: Loss
    paired: bool = False
    midpoint: float | None = 0.0

    def signs(self, real: Tensor, fake: Tensor) -> Tensor:
        """The sign of D's verdict on each real, (batch,): of the score above the midpoint, or above its fake's."""
        return (real - (fake if self.midpoint is None else self.midpoint)).sign()


def _cross_entropy(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """-t log sigmoid(real) - (1 - t) log(1 - sigmoid(real)) - log(1 - sigmoid(fake)) with t = 1 - smoothing:
    Goodfellow et al. 2014, eq. 1, negated; smoothed as in Salimans et al. 2016, sec. 3.4."""
    loss = softplus(-real) + softplus(fake)
    return loss + smoothing * real if smoothing else loss


def _least_squares(real: Tensor, fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mao et al. 2017, eq. 2 with a = 0, b = 1 - smoothing."""
    return 0.5 * (real - (1 - smoothing)).square() + 0.5 * fake.square()


def _average(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(real - mean fake) - log(1 - sigmoid(fake - mean real))."""
    return softplus(fake.mean() - real) + softplus(fake - real.mean())


# Goodfellow et al. 2014, eq. 1: the generator minimises log(1 - D(fake)).
MINIMAX = Objective(_cross_entropy, lambda real, fake: -softplus(fake))
# ibid., section 3: the generator maximises log D(fake).
NON_SATURATING = Objective(_cross_entropy, lambda real, fake: softplus(-fake))
# Mao et al. 2017, eq. 2 with c = 1.
LEAST_SQUARES = Objective(_least_squares, lambda real, fake: 0.5 * (fake - 1).square(), midpoint=0.5)
# Lim and Ye 2017; Miyato et al. 2018, eqs. 16 and 17.
HINGE = Objective(lambda real, fake: relu(1 - real) + relu(1 + fake), lambda real, fake: -fake)
# Arjovsky et al. 2017, eq. 2; the Lipschitz bound is a regulariser's task.
WASSERSTEIN = Objective(lambda real, fake: fake - real, lambda real, fake: -fake, midpoint=None)
# Relativistic pairing: Jolicoeur-Martineau 2019, eqs. 3 and 4; Huang et al. 2024 (R3GAN), eq. 2.
RELATIVISTIC = Objective(
    lambda real, fake: softplus(fake - real), lambda real, fake: softplus(real - fake), paired=True, midpoint=None
)
# Relativistic average: Jolicoeur-Martineau 2019, eqs. 7 and 8; the generator's with the sides exchanged.
RELATIVISTIC_AVERAGE = Objective(_average, lambda real, fake: _average(fake, real), paired=True, midpoint=None)


def objective(name: str) -> Objective:
    """The one that a row of the schema names."""
    loaded: Objective = at(OBJECTIVES[name].made)
    return loaded


def named(name: str) -> Objective:
    """That, or one of the user's own. Raises InputError for an object that is none."""
    resolved = objective(name) if name in OBJECTIVES else plugin.resolve(name)
    if not isinstance(resolved, Objective):
        raise InputError(
            f'game.objective: "{name}" is {type(resolved).__name__}; valid: an Objective of games.objectives'
        )
    return resolved

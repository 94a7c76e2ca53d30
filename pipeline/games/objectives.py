"""The objectives: what each side minimises, a value per sample, as functions of the discriminator's scores (logits)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """Both take the scores of reals and of fakes, (batch,) each, and give (batch,). paired: the generator's loss
    reads the reals' scores too (relativistic objectives); without it they are not computed for it."""

    discriminator: Loss
    generator: Loss
    paired: bool = False


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-log sigmoid(real) - log(1 - sigmoid(fake)): Goodfellow et al. 2014, eq. 1, negated."""
    return softplus(-real) + softplus(fake)


OBJECTIVES: dict[str, Objective] = {
    # Goodfellow et al. 2014, eq. 1: the generator minimises log(1 - D(fake)).
    "minimax": Objective(_cross_entropy, lambda real, fake: -softplus(fake)),
    # ibid., section 3: the generator maximises log D(fake).
    "non_saturating": Objective(_cross_entropy, lambda real, fake: softplus(-fake)),
    # Mao et al. 2017, eq. 2 with a = 0, b = c = 1.
    "least_squares": Objective(
        lambda real, fake: 0.5 * (real - 1).square() + 0.5 * fake.square(),
        lambda real, fake: 0.5 * (fake - 1).square(),
    ),
    # Lim and Ye 2017; Miyato et al. 2018, eqs. 16 and 17.
    "hinge": Objective(lambda real, fake: relu(1 - real) + relu(1 + fake), lambda real, fake: -fake),
    # Arjovsky et al. 2017, eq. 2; the Lipschitz bound is a regulariser's task.
    "wasserstein": Objective(lambda real, fake: fake - real, lambda real, fake: -fake),
}

"""What is measured class by class: samples are told apart by a linear discriminant in the features of real ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.metrics.frechet import Moments, frechet_distance, real_moments

SHRINKAGE = 1e-3  # of the covariance towards its mean variance: features may be linear in each other
FEWEST = 2  # samples that a class is measured by


@dataclass(frozen=True)
class Classes:
    """A linear discriminant (Fisher 1936; Hastie et al. 2009, eq. 4.10) and the moments of each class."""

    weight: Tensor  # (D, classes) float64
    bias: Tensor  # (classes,)
    moments: tuple[Moments | None, ...]  # None of a class with fewer than two real samples

    def probabilities(self, features: Tensor) -> Tensor:
        """(N, classes) float64 of features (N, D)."""
        return (features.double() @ self.weight + self.bias).softmax(1)


def told_apart(training: Tensor, labels: Tensor, real: Tensor, real_labels: Tensor) -> Classes:
    """The discriminant of training features (N, D) with labels (N,), and the moments of the classes of the real part
    that is compared with."""
    count = int(max(labels.max(), real_labels.max())) + 1
    training = training.double()
    shares = torch.bincount(labels, minlength=count).double() / len(labels)
    means = torch.stack(
        [training[labels == at].mean(0) if bool(shares[at]) else training.mean(0) for at in range(count)]
    )
    centred = training - means[labels]
    covariance = centred.T @ centred / max(len(training) - count, 1)
    covariance += SHRINKAGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
    weight = torch.linalg.solve(covariance, means.T)
    bias = shares.log() - 0.5 * (means.T * weight).sum(0)
    groups = [real[real_labels == at] for at in range(count)]
    return Classes(weight, bias, tuple(real_moments(group) if len(group) >= FEWEST else None for group in groups))


def class_distance(classes: Classes, fakes: Tensor) -> float:
    """Intra-class FID: the mean over classes of the Fréchet distance between the real samples of a class and the fakes
    (N, D) that are taken for it; of a class with fewer than two of these, between it and the two that are most likely
    of it. nan where a feature is not finite."""
    if not bool(fakes.isfinite().all()):
        return math.nan
    probabilities = classes.probabilities(fakes)
    taken = probabilities.argmax(1)
    distances = []
    for at, moments in enumerate(classes.moments):
        if moments is not None:
            mine = (taken == at).nonzero().flatten()
            if len(mine) < FEWEST:
                mine = probabilities[:, at].topk(FEWEST).indices
            distances.append(frechet_distance(moments, fakes[mine]))
    return sum(distances) / len(distances)


def inception_score(classes: Classes, fakes: Tensor) -> float:
    """exp E KL(p(class | sample) || p(class)) over all fakes (N, D) (Salimans et al. 2016, section 4), with the
    discriminant's classes in place of ImageNet's; nan where a feature is not finite."""
    if not bool(fakes.isfinite().all()):
        return math.nan
    each = classes.probabilities(fakes)
    overall = each.mean(0)
    divergence = torch.special.xlogy(each, each) - torch.special.xlogy(each, overall)
    return float(divergence.sum(1).mean().exp())

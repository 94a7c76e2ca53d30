"""Parts as a user would write them, each named in a spec as "own_parts.py:NAME"."""

import math

import torch
from torch import nn

from pipeline.games.objectives import Objective
from pipeline.games.regularisers import Regulariser


class Generator(nn.Module):
    def __init__(self, latent_size, classes, shape, width=16):
        super().__init__()
        self.shape = shape
        self.first = nn.Linear(latent_size + classes, width)
        self.last = nn.Linear(width, math.prod(shape))

    def forward(self, inputs):
        return self.last(self.first(inputs).relu()).view(-1, *self.shape).tanh()


class Discriminator(nn.Module):
    def __init__(self, shape, kind, classes, width=16):
        super().__init__()
        self.first = nn.Linear(math.prod(shape), width)
        self.score = nn.Linear(width, 1)
        self.embed = nn.Linear(classes, width, bias=False) if classes else None
        self.classify = nn.Linear(width, classes) if kind == "auxiliary_classifier" else None

    def forward(self, x, condition=None, randomness=None):
        features = torch.nn.functional.leaky_relu(self.first(x.flatten(1)), 0.2)
        if self.embed is not None:
            features = features * (1 + self.embed(condition))
        scores = self.score(features).squeeze(1)
        return scores if self.classify is None else (scores, self.classify(features))

    def blocks(self):
        """For freeze_discriminator, the lowest first; what has none cannot be frozen."""
        return [[self.first]]


# Squares of the distance to 1 and -1.
quadratic = Objective(
    lambda real, fake: (real - 1).square() + (fake + 1).square(), lambda real, fake: (fake - 1).square()
)


def drift(seen, options):
    """Karras et al. 2018, app. A.1: the reals' scores are kept from drifting away from 0."""
    return options.get("factor", 1.0) * seen.real_scores.square()


def _near_average(seen, options):
    return (seen.real_scores - seen.auxiliary["mean"]).square()


def _advance(state, real_scores, fake_scores, step, options):
    decay = options.get("decay", 0.9)
    return {"mean": decay * state["mean"] + (1 - decay) * real_scores.detach().mean()}


slow = Regulariser(_near_average, state=("mean",), advance=_advance)  # a term with a state, kept in checkpoints


def mean_distance(evaluated):
    """How far apart the means of the features are; 0 is best."""
    return (evaluated.features.mean(0) - evaluated.real_features.mean(0)).norm()


def spread(evaluated):
    """How much of the data's deviation the samples have; more is better."""
    return evaluated.samples.cpu().numpy().std() / evaluated.real.cpu().numpy().std()


def table(resolution):
    """A table of 600 rows and 8 columns, of which two go together."""
    rows = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
    return rows + torch.cat([rows[:, 1:2], torch.zeros(600, 7)], 1)

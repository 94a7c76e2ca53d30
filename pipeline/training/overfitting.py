"""Whether the discriminator knows its training samples by heart."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.data.batches import Batch, Domain, label_of, to_float
from pipeline.data.dataset import Dataset
from pipeline.data.trees import rows
from pipeline.games.game import Draw, Turn
from pipeline.seeds import derive
from pipeline.training.making import at_a_time
from pipeline.training.state import TrainingState, domains_of
from pipeline.training.step import evaluating, precision, win_rate

APART = ("none", "stddev")  # how D may look across a batch, for it to be of any size
JUDGED = 256  # samples of each kind: a standard error of about 0.025


@torch.no_grad()
def overfitting(state: TrainingState, dataset: Dataset, seed: int) -> dict[str, float]:
    """{"discriminator_overfit": P(D(training sample) > D(held-out sample))}, a tie counting one half; empty where the
    validation part has no batch.

    0.5 where D judges new samples as it does those that it is trained on, 1 where it has learned these by heart: Karras
    et al. 2020 look at the distance of the two means, which is of another size for every objective; this is the area
    under the ROC curve between the two. Judged as in a step of the training, without lazy terms, and in larger
    batches where their size is no matter to the score, by networks in evaluation mode; the same samples at every
    evaluation of a run. Nothing of the state is changed.
    """
    size = state.spec.batch_size
    kinds = (state.batches.domains, domains_of(dataset, None, "validation"))
    least = min(len(domain.samples) // size for domains in kinds for domain in domains.values())
    count = min(max(JUDGED // size, 1), least) * size
    if not count:
        return {}
    of_training, of_held_out = (_scores(state, domains, count, seed) for domains in kinds)
    shares = [win_rate(of_training[name], of_held_out[name]) for name in of_training]
    return {"discriminator_overfit": float(torch.stack(shares).mean())}


def _scores(state: TrainingState, domains: Mapping[str, Domain], count: int, seed: int) -> dict[str, Tensor]:
    """What D says of so many reals, (count,), or of packs of them, by the name of what it judges."""
    # Each kind under the same augmentation, beside the same fakes.
    randomness, order = (torch.Generator(on).manual_seed(derive(seed, "overfit")) for on in (state.device, "cpu"))
    drawn = {name: torch.randperm(len(each.samples), generator=order)[:count] for name, each in domains.items()}
    scores: dict[str, list[Tensor]] = {}
    size = state.spec.batch_size
    if state.spec.discriminator.minibatch in APART:
        fit = at_a_time({name: domain.samples[:1] for name, domain in domains.items()})
        size *= max(fit // size, 1)  # whole ones, as samples may be judged in packs
    for at in range(0, count, size):
        batch = {}
        for name, domain in domains.items():
            index = drawn[name][at : at + size].to(domain.samples.device)
            batch[name] = to_float(domain.samples[index].to(state.device))
            if domain.labels is not None:
                batch[label_of(name)] = domain.labels[index].to(state.device)
        for name, (real, _) in _judged(state, batch, randomness).items():
            scores.setdefault(name, []).append(real.float().flatten())
    return {name: torch.cat(parts) for name, parts in scores.items()}


def _judged(state: TrainingState, batch: Batch, randomness: torch.Generator) -> Mapping[str, tuple[Tensor, Tensor]]:
    game, draw = state.game, Draw(randomness, state.progress)
    inputs = game.inputs(rows(batch), randomness, batch)
    with evaluating(game.discriminator, state.ema), precision(state):
        fake = game.generate(state.ema, inputs, draw)
        turn = Turn(batch, inputs, fake, randomness, {}, state.auxiliary, state.progress)
        return game.discriminator_loss(game.discriminator, turn).judged

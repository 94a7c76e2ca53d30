"""Whether the discriminator knows its training samples by heart."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.data.batches import Batch, to_float
from pipeline.data.dataset import Dataset
from pipeline.games.game import Turn
from pipeline.seeds import derive
from pipeline.training.state import TrainingState
from pipeline.training.step import evaluating, precision, win_rate

JUDGED = 256  # samples of each kind: a standard error of about 0.025


@torch.no_grad()
def overfitting(state: TrainingState, dataset: Dataset, seed: int) -> dict[str, float]:
    """{"discriminator_overfit": P(D(training sample) > D(held-out sample))}, a tie counting one half; empty where the
    validation part has no batch.

    0.5 where D judges new samples as it does those that it is trained on, 1 where it has learned these by heart: Karras
    et al. 2020 look at the distance of the two means, which is of another size for every objective; this is the area
    under the ROC curve between the two. Judged as in a step of the training, without lazy terms, by networks in
    evaluation mode; the same samples at every evaluation of a run. Nothing of the state is changed.
    """
    size = state.spec.batch_size
    kinds = ((state.batches.train, state.batches.labels), (dataset.validation, dataset.validation_labels))
    count = min(max(JUDGED // size, 1), *(len(reals) // size for reals, _ in kinds)) * size
    if not count:
        return {}
    scores = []
    for reals, labels in kinds:
        # Each kind under the same augmentation, beside the same fakes.
        randomness, order = (torch.Generator(on).manual_seed(derive(seed, "overfit")) for on in (state.device, "cpu"))
        found = []
        for index in torch.randperm(len(reals), generator=order)[:count].to(reals.device).split(size):
            real = to_float(reals[index].to(state.device))
            batch = Batch(real, None if labels is None else labels[index].to(state.device))
            found.append(_scores(state, batch, randomness))
        scores.append(torch.cat(found))
    return {"discriminator_overfit": float(win_rate(*scores))}


def _scores(state: TrainingState, batch: Batch, randomness: torch.Generator) -> Tensor:
    """What D says of a batch of reals, (batch,), or of packs of them."""
    game, real = state.game, batch.real
    inputs = game.inputs(len(real), randomness, batch)
    with evaluating(game.discriminator, state.ema), precision(state):
        fake = game.generate(state.ema, inputs)
        turn = Turn(real, inputs, fake, randomness, {}, state.auxiliary, state.step, state.images)
        scores = game.discriminator_loss(game.discriminator, turn).real_scores
    assert scores is not None
    return scores.float().flatten()

"""Whether the discriminator knows its training samples by heart."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.data.batches import Batch, to_float
from pipeline.data.dataset import Dataset
from pipeline.games.game import Turn
from pipeline.seeds import derive
from pipeline.training.state import TrainingState
from pipeline.training.step import precision, win_rate

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
    game, size = state.game, state.spec.batch_size
    held, labels = dataset.validation, dataset.validation_labels
    count = min(max(JUDGED // size, 1), len(held) // size, len(state.batches.train) // size) * size
    if not count:
        return {}
    randomness = torch.Generator(state.device)
    chosen = torch.randperm(len(state.batches.train), generator=torch.Generator().manual_seed(derive(seed, "overfit")))
    known = chosen[:count].to(state.batches.train.device)
    kinds = (
        (state.batches.train[known], None if state.batches.labels is None else state.batches.labels[known]),
        (held[:count], None if labels is None else labels[:count]),
    )
    modes = [(network, network.training) for network in (game.discriminator, state.ema)]
    for network, _ in modes:
        network.eval()
    scores = []
    for reals, classes in kinds:
        randomness.manual_seed(derive(seed, "overfit"))  # both kinds under the same augmentation and the same fakes
        found = []
        for at in range(0, count, size):
            real = to_float(reals[at : at + size].to(state.device))
            batch = Batch(real, None if classes is None else classes[at : at + size].to(state.device))
            found.append(_scores(state, batch, randomness))
        scores.append(torch.cat(found))
    for network, mode in modes:
        network.train(mode)
    return {"discriminator_overfit": float(win_rate(*scores))}


def _scores(state: TrainingState, batch: Batch, randomness: torch.Generator) -> Tensor:
    """What D says of a batch of reals."""
    game, real = state.game, batch.real
    inputs = game.inputs(len(real), randomness, batch)
    with precision(state):
        fake = game.generate(state.ema, inputs)
        turn = Turn(real, inputs, fake, randomness, {}, state.auxiliary, state.step, state.images)
        scores = game.discriminator_loss(game.discriminator, turn).real_scores
    assert scores is not None
    return scores.float().flatten()

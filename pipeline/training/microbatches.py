"""Gradient accumulation: a batch that passes the networks in parts, so that a large one fits a small GPU.

A step is the same step: its losses are means over the whole batch, and images, lazy intervals, the average and the
state of the parts go by that. The parts of a batch see each other no more, so what mixes samples is of each part:
batch norm's statistics, minibatch stddev and discrimination, the means of relativistic_average, LeCam's anchors within
the loss, DRAGAN's deviation, mode seeking. Spectral norm's power iteration makes a step in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor

from pipeline.data.batches import Batch
from pipeline.data.trees import Tree, chunks, joined
from pipeline.games.game import Draw, Game, Losses, Turn


def parts_of(batch: Batch, inputs: Tree, size: int | None) -> list[tuple[Batch, Tree]]:
    """A batch and what the generator is fed for it, `size` samples at a time; whole for None."""
    if size is None:
        return [(batch, inputs)]
    reals = [part for part in chunks(batch, size) if not isinstance(part, Tensor)]
    return list(zip(reals, chunks(inputs, size), strict=True))


def whole(turns: Sequence[Turn]) -> Turn:
    """The turn of all samples of a step; the only one itself."""
    first = turns[0]
    if len(turns) == 1:
        return first
    batch = joined([turn.batch for turn in turns])
    assert not isinstance(batch, Tensor)
    fakes = joined([turn.constant for turn in turns])
    return replace(first, batch=batch, inputs=joined([turn.inputs for turn in turns]), fake=fakes)


def again(
    game: Game, turns: Sequence[Turn], noise: Sequence[torch.Generator], inside: AbstractContextManager[object]
) -> Iterator[Turn]:
    """The same turns with fakes that have a way back to the generator, made anew one after another: to keep what the
    first ones were made by would keep the whole batch's activations. noise: what each part was drawn with; inside: the
    precision."""
    for turn, randomness in zip(turns, noise, strict=True):
        with inside:
            fake = game.generate(game.generator, turn.inputs, Draw(randomness, turn.progress))
        yield replace(turn, fake=fake)


def together(parts: Sequence[Losses]) -> Losses:
    """The losses of a step of those of its parts, as constants; the only ones themselves."""
    if len(parts) == 1:
        return parts[0]

    def over(values: Callable[[Losses], dict[str, Tensor]]) -> dict[str, Tensor]:
        of_all = [values(losses) for losses in parts]
        return {name: _rows([each[name] for each in of_all]) for name in of_all[0]}

    real = over(lambda losses: {name: pair[0] for name, pair in losses.judged.items()})
    fake = over(lambda losses: {name: pair[1] for name, pair in losses.judged.items()})
    return Losses(
        over(lambda losses: losses.terms),
        {name: (real[name], fake[name]) for name in real},
        over(lambda losses: losses.measurements),
    )


def constant(losses: Losses) -> Losses:
    """Without a way back, so that nothing of a part's graph is kept."""
    return Losses(
        {name: term.detach() for name, term in losses.terms.items()},
        {name: (real.detach(), fake.detach()) for name, (real, fake) in losses.judged.items()},
        {name: value.detach() for name, value in losses.measurements.items()},
    )


def _rows(values: Sequence[Tensor]) -> Tensor:
    """Of all samples; of scalars one a part."""
    return torch.cat([value.unsqueeze(0) if value.dim() == 0 else value for value in values])

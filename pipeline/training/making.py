"""What a generator makes: samples by name, of the same inputs at every evaluation of a run, and their pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.data.batches import LABEL, to_float
from pipeline.data.dataset import Dataset
from pipeline.data.reducing import enlarged, reduced
from pipeline.data.trees import Tree, chunks, joined, mapped, named, tensors
from pipeline.games import latent
from pipeline.games.game import SAMPLES, Draw, Game, Progress
from pipeline.metrics.evaluator import Evaluator, Part
from pipeline.metrics.samples import Behind, plotted, save_grid
from pipeline.schema.kinds import KINDS
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive
from pipeline.training.state import TrainingState, domains_of
from pipeline.training.step import evaluating
from pipeline.training.store import Store

CHUNK, VALUES = 512, 2**23  # at most so many samples at a time, and values of theirs: 42 of 256 pixels in colour
NEAREST = "nearest"  # how the names of such pictures begin
REALS_SHOWN = 2_000  # behind the samples of a table


def evaluation_inputs(state: TrainingState, evaluator: Evaluator, part: Part, seed: int) -> Tree:
    """What a run's generator is fed at each evaluation: the same all along, labels drawn as the training data has
    them, and the first images of a held-out part for a generator that is fed images."""
    count, game = evaluator.samples, state.game
    randomness = torch.Generator().manual_seed(derive(seed, "evaluation"))
    batch = condition_like(game, state.spec, count, randomness)
    if fed_images(state, evaluator):
        batch |= {name: to_float(each.samples) for name, each in domains_of(evaluator.dataset, count, part).items()}
    return game.inputs(count, randomness, batch)


def fed_images(state: TrainingState, evaluator: Evaluator) -> bool:
    """Whether what is made is another for another part of the data."""
    return bool(evaluator.dataset.domains) or state.spec.game.made_from_images


def made(state: TrainingState, inputs: Tree) -> dict[str, Tensor]:
    """What the average makes of the inputs, by name."""
    return sampled(state.game, state.ema, inputs, state.spec, state.progress)


def not_averaged(state: TrainingState, inputs: Tree) -> dict[str, Tensor]:
    """The same of the generator that is trained; nothing where it is the one that is sampled."""
    return sampled(state.game, state.game.generator, inputs, state.spec, state.progress) if state.averaging else {}


def pictures(state: TrainingState, dataset: Dataset, samples: dict[str, Tensor], store: Store) -> str:
    """Writes a picture of what was made, of the same inputs all along, one a name; the first one's name relative to
    the run's folder."""
    names, grid = [], state.spec.evaluation.grid
    for name, each in samples.items():
        of = dataset.domains.get(state.game.references[name], dataset)
        beside = "" if name == SAMPLES else f"-{name}"
        path = store.samples / f"images-{state.images:012d}{beside}.png"
        store.guard()
        if of.has_partners:
            rows = _beside_partners(state, dataset, each, state.game.references[name])
            save_grid(torch.cat(list(rows.values())), path, grid, rows=tuple(rows))
        else:
            save_grid(_shown(of, each, grid), path, grid, behind=Behind(of.means, _reals(of)))
        names.append(str(path.relative_to(store.folder)))
    return names[0]


def _beside_partners(state: TrainingState, dataset: Dataset, samples: Tensor, of: str) -> dict[str, Tensor]:
    """What each of the first samples was made of, itself, and what it should be (`of` a domain); of small images the
    plain way of enlarging them too."""
    columns = state.spec.evaluation.grid
    held_out = {each: to_float(it.samples) for each, it in domains_of(dataset, columns, "validation").items()}
    rows = {"made": samples[:columns], "wanted": held_out[of]}
    if dataset.low:
        small = reduced(held_out[of], dataset.low)
        factor = dataset.low.factor
        pixels = small.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
        rows = {"low": pixels, "bicubic": enlarged(small, factor), **rows}
    else:
        rows = {"from": next(each for domain, each in held_out.items() if domain != of), **rows}
    return rows


def beside_nearest(state: TrainingState, evaluator: Evaluator, samples: dict[str, Tensor], store: Store) -> None:
    """Writes a picture of the first samples, and of the training sample that is nearest to each under it: what is
    learned by heart is seen there. Nothing of data that are no pictures."""
    for name, each in samples.items():
        of = evaluator.domains.get(state.game.references[name], evaluator)
        some = each[: state.spec.evaluation.grid]
        if (near := of.nearest(some)) is not None:
            beside = "" if name == SAMPLES else f"-{name}"
            path = store.samples / f"{NEAREST}-{state.images:012d}{beside}.png"
            store.guard()
            save_grid(torch.cat([some, near]), path, len(some), rows=("generated", "nearest"))


def _shown(dataset: Dataset, samples: Tensor, grid: int) -> Tensor:
    seen: Tensor = KINDS[dataset.kind].of.pictured(samples)
    return seen[: grid**2] if seen.dim() == 4 else plotted(seen, dataset.centre, dataset.scale)


def _reals(dataset: Dataset) -> Tensor | None:
    """What a table's samples are shown over."""
    if KINDS[dataset.kind].pixels or dataset.means is not None:
        return None
    reals = KINDS[dataset.kind].of.pictured(dataset.validation[:REALS_SHOWN])
    return plotted(reals, dataset.centre, dataset.scale)


def sampled(
    game: Game, generator: torch.nn.Module, inputs: Tree, spec: TrialSpec, progress: Progress
) -> dict[str, Tensor]:
    """Samples (count, ...) by name, on the CPU, float32, of `generator` in evaluation mode, in chunks."""
    device = next(generator.parameters()).device
    draw = Draw(torch.Generator(device).manual_seed(0), progress)
    half = torch.autocast(device.type, torch.bfloat16, enabled=spec.precision == "bf16")
    parts = []

    def some(of: Tree, draw: Draw) -> Tree:
        samples = game.sample(generator, mapped(lambda each: each.to(device), of), draw)
        return mapped(lambda each: each.float().cpu(), samples)

    with evaluating(generator), torch.inference_mode(), half:
        first = some(mapped(lambda each: each[:2], inputs), Draw(torch.Generator(device), progress))
        for chunk in chunks(inputs, at_a_time(first)):
            parts.append(some(chunk, draw))
    return named(joined(parts), SAMPLES)


def at_a_time(some: Tree) -> int:
    """How many of such samples pass a network at a time where nothing is kept for a gradient; some: one or more."""
    values = sum(each[:1].numel() for each in tensors(some))
    return max(1, min(CHUNK, VALUES // max(values, 1)))


def condition_like(game: Game, spec: TrialSpec, count: int, randomness: torch.Generator) -> dict[str, Tensor]:
    """A batch with the condition alone, as the training data has it; `randomness` stays as it is."""
    if not game.classes:
        return {}
    behind = torch.Generator(randomness.device)
    behind.set_state(randomness.get_state())
    latent.draw(spec.latent, count, behind)  # labels are drawn behind latents, as they always were
    return {LABEL: labels_like(game.classes, count, behind)}


def labels_like(classes: tuple[int, ...], count: int, randomness: torch.Generator) -> Tensor:
    """Labels (count,) drawn as often as the training data has each class."""
    shares = torch.tensor(classes, dtype=torch.float32, device=randomness.device)
    return torch.multinomial(shares, count, replacement=True, generator=randomness)

"""Pictures of the latent space: directions in it, styles mixed, styles nearer to their mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.data.batches import LABEL
from pipeline.errors import InputError, one_of
from pipeline.games import latent
from pipeline.games.adversarial import AdversarialGame
from pipeline.games.game import LATENT, SAMPLES
from pipeline.games.networks.stylegan2 import Generator as Styled
from pipeline.sampling.trained import Trained
from pipeline.sampling.wanted import Wanted
from pipeline.schema.networks import FAMILIES
from pipeline.training.making import labels_like, sampled
from pipeline.training.step import evaluating

ROWS, COLUMNS, MOST = 6, 7, 64
STRENGTH = 3.0  # of directions, as in the code of Shen and Zhou 2021 (genforce/sefa, sefa.py)
DRAWN = 1_000  # styles, for their deviation along a direction
AT_A_TIME = 64
GREY = 0.0  # of a cell that is no sample


@dataclass(frozen=True)
class Picture:
    """samples (rows * columns, ...), and the names of the rows."""

    samples: Tensor
    columns: int
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a picture is made of. label: of all its samples (None: without a condition)."""

    trained: Trained
    game: AdversarialGame
    wanted: Wanted
    label: int | None
    randomness: torch.Generator

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of latents and steps."""
        return self.wanted.count or ROWS, self.wanted.columns or COLUMNS

    def latents(self, count: int) -> Tensor:
        return latent.draw(self.trained.spec.latent, count, self.randomness)

    def inputs(self, latents: Tensor) -> dict[str, Tensor]:
        if self.label is None:
            return {LATENT: latents}
        return {LATENT: latents, LABEL: torch.full((len(latents),), self.label)}


def explored(trained: Trained, wanted: Wanted, label: int | None, randomness: torch.Generator) -> Picture:
    """The picture that wanted.explore names. label: the class of all of it; drawn of a conditional game where None.
    Raises InputError for what the checkpoint's generator does not have."""
    made = _made(trained, wanted)
    game, (rows, columns) = trained.game, (wanted.count or ROWS, wanted.columns or COLUMNS)
    assert isinstance(game, AdversarialGame)
    for option, number, least in (("-n", rows, 1), ("--columns", columns, 2)):
        if not least <= number <= MOST:
            raise InputError(f"{option}: found {number} with --explore; valid: {least} to {MOST}")
    if wanted.strength is not None and (wanted.explore != "directions" or not 0 < wanted.strength < float("inf")):
        raise InputError(f"--strength: found {wanted.strength}; valid: above 0, with --explore directions")
    if label is None and game.classes:
        label = int(labels_like(game.classes, 1, randomness))
    with evaluating(game.generator), torch.inference_mode():
        return made(Asked(trained, game, wanted, label, randomness))


def factorised(weights: Tensor, count: int) -> Tensor:
    """(count, size): the directions of unit length that a linear map A (outputs, size) changes its outputs most by, the
    eigenvectors of A^T A of the largest eigenvalues (SeFa, Shen and Zhou 2021, eq. 8). Each has its largest value
    above 0: which way an eigenvector points is the solver's choice."""
    a = weights.detach().double()
    vectors = torch.linalg.eigh(a.T @ a).eigenvectors.flip(1).T[:count]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    directions: Tensor = (vectors * largest.sign()).float()
    return directions


def _directions(asked: Asked) -> Picture:
    """One sample, moved along a direction in each row, by -strength to strength standard deviations of latents, or of
    styles where there are some: all of a sample's are moved."""
    rows, columns = asked.size
    generator = asked.game.generator
    weights: Tensor = generator.latent_weights()  # type: ignore[operator]
    if rows > weights.shape[1]:
        raise InputError(f"-n: found {rows} with --explore directions; valid: 1 to {weights.shape[1]}, one each")
    directions, steps = factorised(weights, rows), _steps(-1, 1, columns) * (asked.wanted.strength or STRENGTH)
    if isinstance(generator, Styled):
        start = _styles(asked, asked.latents(1))
        spread = _styles(asked, asked.latents(DRAWN))[:, 0] @ directions.T
        moves = (spread.std(0)[:, None] * steps)[:, :, None] * directions[:, None]  # (rows, columns, size)
        samples = _images(generator, start + moves.flatten(0, 1)[:, None])
    else:
        deviation = 1.0 if asked.trained.spec.latent.distribution == "gaussian" else 3**-0.5
        moves = (deviation * steps)[None, :, None] * directions[:, None]
        samples = _sampled(asked, asked.latents(1) + moves.flatten(0, 1))
    return Picture(samples, columns, tuple(f"direction {number}" for number in range(1, rows + 1)))


def _mixing(asked: Asked) -> Picture:
    """Samples in the first row and the first column, and between them those with the coarser half of the styles of
    their row's sample, and the finer half of their column's (Karras et al. 2019, fig. 3)."""
    rows, columns = asked.size
    generator = asked.game.generator
    assert isinstance(generator, Styled)
    styles = _styles(asked, asked.latents(rows + columns))
    coarse, fine, half = styles[:rows], styles[rows:], generator.count // 2
    mixed = torch.cat(
        [
            coarse[:, None, :half].expand(-1, columns, -1, -1),
            fine[None, :, half:].expand(rows, -1, -1, -1),
        ],
        2,
    )
    alone, between = _images(generator, styles), _images(generator, mixed.flatten(0, 1)).unflatten(0, (rows, columns))
    corner = torch.full_like(alone[:1], GREY)
    first = torch.cat([corner, alone[rows:]])
    rest = torch.cat([alone[:rows, None], between], 1).flatten(0, 1)
    return Picture(torch.cat([first, rest]), columns + 1)


def _truncation(asked: Asked) -> Picture:
    """A sample in each row, from the mean of all styles on the left to its own, or wanted.truncation, on the right."""
    rows, columns = asked.size
    generator = asked.game.generator
    assert isinstance(generator, Styled)
    most = 1.0 if asked.wanted.truncation is None else asked.wanted.truncation
    styles = generator.styles(asked.game.fed(asked.inputs(asked.latents(rows))))
    psi = _steps(0, most, columns)[None, :, None, None]
    return Picture(_images(generator, generator.truncated(styles[:, None], psi).flatten(0, 1)), columns)


MADE: dict[str, Callable[[Asked], Picture]] = {
    "directions": _directions,
    "mixing": _mixing,
    "truncation": _truncation,
}


def _made(trained: Trained, wanted: Wanted) -> Callable[[Asked], Picture]:
    """How a picture of this name is made; InputError where the checkpoint has nothing to make it of."""
    name, generator, spec = str(wanted.explore), trained.game.generator, trained.spec
    if name not in MADE:
        raise InputError(f'--explore: found "{name}", {one_of(name, MADE)}')
    if wanted.path is not None:
        raise InputError("--interpolate: found it with --explore; valid: one of them")
    if not isinstance(trained.game, AdversarialGame) or len(trained.shape) != 3:
        raise InputError(
            f"--explore: found {name} with {trained.kind} of the game {spec.game.name}; valid: images alone"
        )
    if name == "directions" and not hasattr(generator, "latent_weights"):
        raise InputError(
            f"--explore: found directions; the generator {spec.generator.network} has no latent_weights(), the "
            "matrix that its latents are multiplied by; valid: a generator that has one"
        )
    if name != "directions" and not isinstance(generator, Styled):
        styled = ", ".join(family for family, row in FAMILIES.items() if row.styles)
        raise InputError(
            f"--explore: found {name}; the generator {spec.generator.network} has no styles, valid: directions, or a "
            f"checkpoint of {styled}"
        )
    return MADE[name]


def _steps(start: float, end: float, count: int) -> Tensor:
    return torch.linspace(start, end, count)


def _styles(asked: Asked, latents: Tensor) -> Tensor:
    """(count, styles, size), truncated where that is asked for."""
    generator, psi = asked.game.generator, asked.wanted.truncation
    assert isinstance(generator, Styled)
    styles = generator.styles(asked.game.fed(asked.inputs(latents)))
    return styles if psi is None else generator.truncated(styles, psi)


def _images(generator: Styled, styles: Tensor) -> Tensor:
    return torch.cat([generator.images(part) for part in styles.split(AT_A_TIME)])


def _sampled(asked: Asked, latents: Tensor) -> Tensor:
    game, trained = asked.game, asked.trained
    return sampled(game, game.generator, asked.inputs(latents), trained.spec, trained.progress)[SAMPLES]

"""What is asked of gansweep generate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """count: samples (None: 64, or 8 of each class), or rows of what is explored; columns of the picture (None: nearly
    a square). label: a class by its name or number, "all" for a row of each, with the same latents in each row, or
    "list" for no samples but the names. truncation: Gaussian latents within it; of a generator with styles how far they
    are from their mean, as a share (psi). path: "spherical" or "linear", each row a way between two latents.
    explore: "directions", "mixing" or "truncation", see sampling/exploring.py; strength: of directions, in standard
    deviations."""

    count: int | None = None
    columns: int | None = None
    label: str | None = None
    truncation: float | None = None
    path: str | None = None
    explore: str | None = None
    strength: float | None = None

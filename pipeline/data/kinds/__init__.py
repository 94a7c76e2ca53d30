"""How each kind of data is taken, made float, laid out, said and shown; schema/kinds.py has a row for each."""

from __future__ import annotations

from torch import Tensor

from pipeline.schema.kinds import KINDS, Kind


def kind_of(samples: Tensor) -> Kind | None:
    """The kind that takes such samples, of a function of the user's own; None where none does."""
    return next((kind for kind in KINDS.values() if kind.of.takes(samples)), None)

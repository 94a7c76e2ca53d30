"""Labels as people have them (text, years, ids, one-hot) as classes from 0 up, whose names are the values they had."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data.said import in_order, listed
from pipeline.errors import InputError

VALID = "valid: a class for each sample, as whole numbers or text"
KINDS = {"bool": bool, "text": str, "int": object, "float": float}  # of single labels, and of an array of them
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Labels:
    """labels: int64 (N,), 0 up to the classes without a gap. names: of the classes; none where they are 0, 1, 2 ..."""

    labels: Tensor
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def numbered(source: str, given: Any, count: int) -> Labels:
    """The labels of `count` samples that a user's function (named `source`, for what is refused) gave. Raises
    InputError."""
    values = _array(source, given)
    notes = []
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim == 2 and values.shape[0] == count and _one_hot(values):
        notes.append(f"its labels are one-hot, of {values.shape[1]} classes")
        whole = torch.from_numpy(values.astype(np.float64).argmax(1))
        if len(np.unique(whole)) == values.shape[1]:
            return Labels(whole, (), tuple(notes))
        values = whole.numpy()
    if values.shape != (count,):
        raise InputError(f"{source}: found labels of shape {tuple(values.shape)} for {count} samples; {VALID}")
    if values.dtype.kind == "U":
        names = in_order([str(name) for name in np.unique(values)])
        if "" in names:
            raise InputError(f"{source}: found {int((values == '').sum()):,} empty labels; {VALID}")
        notes.append(f"its labels are text: {_became(names)}")
    elif values.dtype.kind == "b":
        names = [str(name) for name in np.unique(values)]
        notes.append(f"its labels are true or false: {_became(names)}")
    else:
        values = _whole(source, values)
        distinct = np.unique(values)
        if np.array_equal(distinct, np.arange(len(distinct))):
            return Labels(torch.from_numpy(values.astype(np.int64)), (), tuple(notes))
        names = [str(value) for value in distinct.tolist()]
        notes.append(f"its labels are not 0, 1, 2 ... without a gap, so they are numbered: {_became(names)}")
    if len(names) > count // 2:
        notes.append(f"{len(names):,} classes of {count:,} samples: are they ids or measurements?")
    at = {name: label for label, name in enumerate(names)}
    labels = torch.tensor([at[str(value)] for value in values.tolist()], dtype=torch.int64)
    return Labels(labels, tuple(names), tuple(notes))


def _array(source: str, given: Any) -> Array:
    """Numbers, booleans or text, of any shape."""
    if isinstance(given, Tensor):
        given = given.detach().cpu()
        given = (given.double() if given.is_floating_point() else given).numpy()
    try:
        values = np.asarray(given)
    except (TypeError, ValueError):  # rows of unequal length
        raise InputError(f"{source}: found labels in a {type(given).__name__} of unequal parts; {VALID}") from None
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "T":
        values = values.astype(str)
    if values.dtype.kind == "O":
        kinds = {_kind(value) for value in values.ravel().tolist()}
        if not any(kinds <= {one} for one in KINDS):
            raise InputError(f"{source}: found labels of {listed(sorted(kinds))}; {VALID}")
        values = values.astype(KINDS[kinds.pop()] if kinds else float)
    if values.dtype.kind not in "UbiufO":
        raise InputError(f"{source}: found labels of {values.dtype}; {VALID}")
    return values


def _kind(value: Any) -> str:
    """The key of KINDS that a single label belongs to, or else the name of its class."""
    kinds: dict[str, Any] = {"bool": (bool, np.bool_), "text": str, "int": numbers.Integral, "float": numbers.Real}
    return next(
        (name for name, kind in kinds.items() if isinstance(value, kind)),
        "None" if value is None else type(value).__name__,
    )


def _one_hot(values: Array) -> bool:
    """Each row one 1, all else 0."""
    if values.dtype.kind not in "biuf":
        return False
    return bool(((values == 0) | (values == 1)).all() and (values.sum(1) == 1).all())


def _whole(source: str, values: Array) -> Array:
    """Floats that are whole as integers."""
    if values.dtype.kind != "f":
        return values
    finite = np.isfinite(values)
    if not finite.all():
        raise InputError(f"{source}: found labels that are not finite ({int((~finite).sum()):,} of them); {VALID}")
    broken = np.unique(values[values != np.rint(values)])
    if len(broken):
        shown = listed([f"{value:g}" for value in broken.tolist()], 3)
        raise InputError(
            f"{source}: found labels that are no whole numbers ({shown}); {VALID}: a share or a measurement is no class"
        )
    return values.astype(np.int64)


def _became(names: list[str]) -> str:
    return f"{listed(names)} became the class{'es' if len(names) > 1 else ''} 0 to {len(names) - 1}"

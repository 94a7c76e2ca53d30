"""The columns of a table: brought to mean 0 and deviation 1 for training and measuring, and back to their own units."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.data.said import listed, shown


class Columns(NamedTuple):
    """centre, scale: float64 (D,), the means and deviations of the training part. constant: the columns that have one
    value there; their scale is 1."""

    centre: Tensor
    scale: Tensor
    constant: tuple[int, ...]


def measure(train: Tensor) -> Columns:
    """Of a table (N, D). In float64, and by the size of each column first: dates in seconds lose their differences in
    float32, and squares of large values overflow."""
    values = train.double()
    low, high = values.amin(0), values.amax(0)
    size = torch.maximum(low.abs(), high.abs()).clamp(min=torch.finfo(torch.float64).tiny)
    ratios = values / size
    constant = low == high
    scale = torch.where(constant, 1.0, ratios.std(0, unbiased=False) * size)
    centre = torch.where(constant, low, ratios.mean(0) * size)
    lost = ~(scale > 0)  # a deviation too small to be a number
    return Columns(centre, torch.where(lost, 1.0, scale), tuple((constant | lost).nonzero().flatten().tolist()))


def standardised(rows: Tensor, columns: Columns) -> Tensor:
    """float32, which is what is trained on."""
    return ((rows.double() - columns.centre) / columns.scale).float()


def own_units(rows: Tensor, centre: Tensor | None, scale: Tensor | None) -> Tensor:
    """What standardised() took away given back, in float64; `rows` as they are where nothing was (None)."""
    if centre is None or scale is None:
        return rows
    return rows.double() * scale.to(rows.device) + centre.to(rows.device)


def fingerprint(before: str, columns: Columns) -> str:
    """Of a standardised table: `before` is the table's as it came, which older records have."""
    made = f"{before} standardised {columns.centre.tolist()} {columns.scale.tolist()}"
    return hashlib.sha256(made.encode()).hexdigest()[:16]


def note(name: str, columns: Columns) -> str:
    """What was done, with the spreads that the columns had."""
    spreads = [float(each) for at, each in enumerate(columns.scale) if at not in columns.constant]
    count = f"{len(spreads)} column{'s' if len(spreads) != 1 else ''}"
    clauses = [f"{shown(name)}: {count} standardised for training and measuring, samples come in their own units"]
    if len(spreads) > 1:
        low, high = min(spreads), max(spreads)
        clauses.append(f"spreads from {_number(low)} to {_number(high)} ({_number(high / low)} times)")
    elif spreads:
        clauses.append(f"spread {_number(spreads[0])}")
    if columns.constant:
        clauses.append(f"constant in the training part, so only centred: column {_numbers(columns.constant)} (from 0)")
    return "; ".join(clauses)


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1e3 <= value < 1e9 else f"{value:.3g}"


def _numbers(columns: Sequence[int]) -> str:
    return listed([str(each) for each in columns])

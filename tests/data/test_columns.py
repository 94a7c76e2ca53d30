"""The columns of a table are standardised by the training part, said in a note, and come back in their own units."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.data.columns import note
from pipeline.data.dataset import Dataset, load
from pipeline.schema.trial import DataSpec

HEAD = "import math, torch, numpy as np\ng = torch.Generator().manual_seed(0)\ndef rows(resolution):\n    return "
NORMAL = "torch.randn(400, generator=g, dtype=torch.float64)"
TABLES = {
    "people": f"torch.stack([45 + 20 * {NORMAL}, ({NORMAL} * 1.5 + 10).exp(), (torch.arange(400.) % 2).double()], 1)",
    "seconds since 1970": f"torch.stack([1.7e9 + 5 * {NORMAL}, {NORMAL}], 1)",
    "tiny and huge": f"torch.stack([1e-12 * {NORMAL}, 1e180 * {NORMAL}], 1)",
    "one column": f"(3e5 + 100 * {NORMAL})[:, None]",
    "numpy, float32": "np.random.RandomState(0).lognormal(5, 2, (400, 4)).astype('float32')",
    "standardised before": f"torch.stack([{NORMAL}, {NORMAL}], 1)",
}


def table(folder: Path, source: str) -> Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.py").write_text(HEAD + source)
    return load(DataSpec(name=f"{folder / 'table.py'}:rows"), None, folder / "cache")


def raw(source: str) -> Tensor:
    names: dict[str, object] = {}
    exec(HEAD + source, names)
    return torch.as_tensor(names["rows"](None)).double()  # type: ignore[operator]


@pytest.mark.parametrize("source", TABLES.values(), ids=TABLES)
def test_columns_are_standardised_by_the_training_part_and_come_back(tmp_path: Path, source: str) -> None:
    data = table(tmp_path, source)
    assert (data.kind, data.train.dtype, len(data.train)) == ("points", torch.float32, 240)
    torch.testing.assert_close(data.train.mean(0), torch.zeros(data.train.shape[1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(data.train.std(0, unbiased=False), torch.ones(data.train.shape[1]), atol=1e-4, rtol=0)
    assert data.scale is not None
    own = data.own_units(torch.cat([data.train, data.validation, data.test]))
    for column, before, spread in zip(own.T, raw(source).T, data.scale, strict=True):
        assert (column.sort()[0] - before.sort()[0]).abs().max() < 1e-5 * spread
    assert "standardised" in data.notes[-1]
    assert "\n" not in data.notes[-1]


def test_the_note_names_the_spreads_and_constant_columns(tmp_path: Path) -> None:
    data = table(tmp_path, f"torch.stack([0.5 * {NORMAL}, torch.full((400,), 7.1), 38000 * {NORMAL}], 1)")
    line = data.notes[-1]
    assert line.startswith("table.py:rows: 2 columns standardised")
    assert "spreads from 0.5" in line
    assert "column 1 (from 0)" in line
    assert data.scale is not None
    assert float(data.scale[1]) == 1.0
    assert not data.train[:, 1].any()
    assert float(data.own_units(data.train)[0, 1]) == pytest.approx(7.1)


def test_held_out_rows_decide_nothing(tmp_path: Path) -> None:
    """Another value in rows of the validation part leaves the training part, its centre and its scale as they were."""
    source = f"torch.stack([{NORMAL}, {NORMAL}], 1)"
    before = table(tmp_path / "one", source)
    changed = "(lambda t: torch.where((t == t[ROW]).all(1, keepdim=True), t + 1e6, t))(" + source + ")"
    rows = raw(source)
    held = int((rows - before.own_units(before.validation[:1])).abs().sum(1).argmin())
    after = table(tmp_path / "two", changed.replace("ROW", str(held)))
    assert torch.equal(before.train, after.train)
    assert float(after.validation.max()) > 1e5
    assert before.fingerprint != after.fingerprint


def test_the_same_numbers_in_other_units_are_another_data_set(tmp_path: Path) -> None:
    metres, kilometres = f"1000 * {NORMAL}[:, None]", f"{NORMAL}[:, None]"
    one, other = (table(tmp_path / name, source) for name, source in (("m", metres), ("km", kilometres)))
    torch.testing.assert_close(one.train, other.train)
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize("name", ["ring8", "grid25"])
def test_mixtures_stay_as_they_are(name: str, tmp_path: Path) -> None:
    data = load(DataSpec(name=name), None, tmp_path)
    assert (data.centre, data.scale, data.unstandardised, data.notes) == (None, None, None, ())
    assert data.own_units(data.train) is data.train


def test_a_table_of_one_column_says_its_spread() -> None:
    from pipeline.data.columns import measure

    assert note("a/b.py:ages", measure(torch.tensor([[0.0], [2.0]]))).endswith("own units; spread 1")

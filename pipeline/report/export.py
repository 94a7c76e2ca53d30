"""A sweep as files for other programs: its trials and measurements as CSV and Parquet, its study for Optuna."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError
from pipeline.record.log import dumps
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.report.status import trial_rows
from pipeline.space.load import recorded_space

if TYPE_CHECKING:
    import pandas

STUDY = "study.journal"


def trials_table(state: SweepState) -> pandas.DataFrame:
    """A row a trial, best first: what `Sweep.trials()` gives, with the evidence as JSON and `params.` before the names
    of parameters. A parameter that a trial has not is missing."""
    import pandas

    rows = []
    for row in trial_rows(state):
        trial = state.trials[row["trial"]]
        outcome = {name: value for name, value in row.items() if name not in trial.params}
        evidence = trial.summary(state.metric).evidence
        rows.append(
            outcome
            | {"evidence": None if evidence is None else dumps(evidence)}
            | {f"params.{name}": value for name, value in trial.params.items()}
        )
    return pandas.DataFrame(rows)


def measurements_table(state: SweepState) -> pandas.DataFrame:
    """A row an evaluation of a run: of the search, of a pick (with the number of its fresh seed) and of the winner's
    neighbours. Metrics, signals, errors, the test part and timings have these words before their names."""
    import pandas

    runs = [("search", run) for run in state.runs]
    runs += [("pick", run) for run in state.confirmations] + [("perturb", run) for run in state.perturbed]
    return pandas.DataFrame([row for part, run in runs for row in _measured(part, run)])


def _measured(part: str, run: Run) -> list[dict[str, Any]]:
    return [
        {
            "trial": run.trial,
            "seed": run.seed,
            "part": part,
            "replicate": run.replicate,
            "images": m.images,
            "seconds": m.seconds,
            "features": m.features,
            "samples": m.samples,
            **{f"metrics.{name}": value for name, value in m.metrics.items()},
            **{f"errors.{name}": value for name, value in m.errors.items()},
            **{f"test.{name}": value for name, value in m.test.items()},
            **{f"signals.{name}": value for name, value in m.signals.items()},
            **{f"timings.{name}": value for name, value in m.timings.items()},
        }
        for m in run.measurements
    ]


def export(state: SweepState, folder: Path) -> list[Path]:
    """Writes trials, measurements and the study into the folder, over what was exported before, and says where.
    Raises InputError where no trial was proposed yet, or the folder cannot be written."""
    from pipeline.search.journal import write_journal  # optuna takes a second

    if not state.trials:
        raise InputError(f"{state.name}: no trial was proposed yet, there is nothing to export")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, table in (("trials", trials_table(state)), ("measurements", measurements_table(state))):
            written += [folder / f"{name}.csv", folder / f"{name}.parquet"]
            table.to_csv(written[-2], index=False)
            _plain(table).to_parquet(written[-1], index=False)
        written.append(folder / STUDY)
        write_journal(state, recorded_space(state.space, state.source), written[-1])
    except OSError as error:
        raise InputError(f"--out: found {folder}: {error.strerror}; valid: a folder that can be written") from None
    return written


def _plain(table: pandas.DataFrame) -> pandas.DataFrame:
    """With one type a column, which Parquet wants: a choice among text and numbers becomes its JSON."""
    mixed = [
        name
        for name in table.columns
        if table[name].dtype == object and len({type(value) for value in table[name].dropna()}) > 1
    ]
    return table.assign(**{name: [json.dumps(value) for value in table[name]] for name in mixed})

"""What MLflow is to say of a pick: a run of its own, with the runs that confirm as its children. No mlflow in here."""

from __future__ import annotations

from pipeline.picking.plateau import plateau
from pipeline.picking.verdict import Verdict, standing
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.report.markdown import number
from pipeline.report.verdict import conclusions, robustness, span
from pipeline.tracking import content
from pipeline.tracking.content import View, cut, run_status, run_tags, text
from pipeline.tracking.projection import PICK, SWEEP, Key, milliseconds


def view(state: SweepState, key: Key, alive: bool = True) -> View:
    """The run `key`, of the search or of the pick, as the record has it; alive as for content.view."""
    if key == PICK:
        return _pick_view(state, alive)
    trial, seed = key
    if trial is not None and seed is not None and seed in state.configuration(trial).confirmations:
        return _confirmation_view(state, state.configuration(trial).confirmations[seed], alive)
    return content.view(state, key, alive)


def _working(state: SweepState, alive: bool) -> bool:
    return alive and state.picking == "started"


def _confirmation_view(state: SweepState, run: Run, alive: bool) -> View:
    trial, working = state.configuration(run.trial), _working(state, alive)
    params = {name: text(value) for name, value in trial.params.items()}
    ended = run.ended if run.ended is not None else None if working else state.updated
    return View(
        name=f"{trial.title} fresh seed {run.seed}",
        parent=PICK,
        started=milliseconds(run.started),
        ended=milliseconds(ended) if ended is not None else None,
        status=run_status(run.end_reason, True, working),
        params={**params, "seed": text(run.seed)},
        tags=run_tags(state, trial, [run], run.end_reason, working)
        | {"replicate": str(run.replicate)}
        | ({"perturbed": trial.moved.parameter} if trial.moved else {}),
    )


def _pick_view(state: SweepState, alive: bool) -> View:
    verdict, working, asked = standing(state), _working(state, alive), state.pick
    assert asked is not None
    said = state.picking or "started"
    status = {"finished": "FINISHED", "failed": "FAILED"}
    tags = {
        "state": "running" if working else "interrupted" if said == "started" else said,
        "top": text(asked.top),
        "seeds": text(asked.seeds),
        "finalists": ", ".join(f"{number} ({', '.join(why)})" for number, why in asked.finalists.items()),
        "mlflow.note.content": cut(_note(verdict, state)) if verdict else "Nothing is confirmed yet.",
    }
    if verdict:
        tags["best_trial"] = str(verdict.best.trial)
    return View(
        name="pick",
        parent=SWEEP,
        started=milliseconds(min((run.started for run in state.confirmations), default=asked.time)),
        ended=None if working else milliseconds(state.picker.time if state.picker else state.updated),
        status="RUNNING" if working else status.get(said, "KILLED"),
        params={},  # they are final in MLflow, and a pick can be made again with other settings
        tags=tags,
    )


def _note(verdict: Verdict, state: SweepState) -> str:
    """The conclusions and the finalists, in Markdown."""
    around = plateau(state)
    lines = [f"- {line}" for line in [*conclusions(verdict, state), *(robustness(around) if around else [])]]
    head = f"| trial | healthy | {verdict.metric}, test part | 95% | best with probability | regret | searched |"
    rows = []
    for row in verdict.rows:
        score = "" if row.score is None else number(row.score)
        before = "" if row.searched is None else number(row.searched)
        rows.append(
            f"| {row.trial} | {row.healthy} of {row.seeds} | {score} | {span(row.interval)} "
            f"| {row.probability_best:.2f} | {number(row.regret)} | {before} |"
        )
    return "\n".join([*lines, "", head, "|---|---|---|---|---|---|---|", *rows])

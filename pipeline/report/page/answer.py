"""The answer that a report begins with: what to use, how sure that is, what it cost, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import GansweepError, NoHealthyTrial
from pipeline.picking.expectation import expectation
from pipeline.picking.finalists import no_healthy
from pipeline.picking.plateau import plateau
from pipeline.picking.verdict import Verdict, verdict
from pipeline.record.state import SweepState
from pipeline.report.numbers import clock, floors, number, signed
from pipeline.report.spending import spent
from pipeline.report.status import WITHIN, error_of_difference, sweep_state, within_errors
from pipeline.report.summary import summary
from pipeline.report.verdict import conclusions, robustness, span


@dataclass(frozen=True)
class Fact:
    """A figure with what it is, and what should be known of it."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class Answer:
    """state: as sweep_state() has it, or empty. tone: good, open (something is to be done first) or bad. trial: what to
    use, None where there is none. lines: the evidence. commands: what to type next, with why."""

    state: str
    tone: str
    headline: str
    under: str
    trial: int | None
    facts: tuple[Fact, ...]
    lines: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]


STATES = {
    "running": "This sweep is running: what stands here is what it had found when the page was made.",
    "interrupted": "This sweep was interrupted: it is not over, and can be gone on with.",
    "failed": "This sweep failed before its end: something stopped it that was no trial's fault.",
    "empty": "This sweep has measured nothing yet.",
}
CONFIRMING = {
    "running": "Finalists are being confirmed on fresh seeds.",
    "failed": "The pick that is to confirm it failed before its end, and can be gone on with.",
    "interrupted": "The pick that is to confirm it is not over, and can be gone on with.",
}


def answer(state: SweepState, folder: Path) -> Answer:
    """By the record; the best of the search where nothing is confirmed."""
    now = sweep_state(state, folder)
    if not any(run.measurements for run in state.runs):
        return _nothing(state, now)
    try:
        found = verdict(state) if state.pick else None
    except NoHealthyTrial as error:
        return _none_held(state, now, str(error).removeprefix(f"{state.name}: "))
    except GansweepError:  # nothing is confirmed yet
        found = None
    return _picked(state, now, found) if found else _searched(state, now)


def _nothing(state: SweepState, now: str) -> Answer:
    many = f"{len(state.trials)} trial{'' if len(state.trials) == 1 else 's'} proposed, none with a measurement"
    return Answer(
        state="empty" if now in ("finished", "interrupted") else now,
        tone="open",
        headline="Nothing to use yet",
        under=f"{STATES['empty']} {many}.",
        trial=None,
        facts=(Fact("trials", f"{len(state.trials)} of {state.wanted}"), Fact("time", clock(state.seconds))),
        lines=tuple(summary(state)),
        commands=((state.command("resume"), "go on with it"),) if now != "running" else (),
    )


def _picked(state: SweepState, now: str, found: Verdict) -> Answer:
    best = found.best
    around = plateau(state)
    sure = f"{best.healthy} of {best.seeds} fresh seeds healthy"
    against = best.versus_default
    facts = [
        Fact(
            f"{found.metric}, test part",
            number(best.score),
            f"95%: {span(best.interval)}{floors(state, best.score)}",
        ),
        Fact("healthy seeds", f"{best.healthy} of {best.seeds}", "95% of the share: " + _percent(best.share_interval)),
        Fact("the best one with", f"{best.probability_best:.0%}", f"expected regret {number(best.regret)}"),
    ]
    if best.trial == found.default:
        facts.append(Fact("against the default", "it is the default", "no finalist was shown to be better"))
    elif against is not None:
        word = "better" if against.better >= 0 else "worse"
        noise = ", within seed noise" if against.noise else ""
        facts.append(
            Fact(
                "against the default", f"{number(abs(against.better))} {word}", f"95%: {span(against.interval)}{noise}"
            )
        )
    facts.append(_cost(state))
    headline = f"Use trial {best.trial}" if found.complete else f"Trial {best.trial} leads a race that is not over"
    return Answer(
        state=now,
        tone="good" if found.complete and best.healthy == best.seeds else "open",
        headline=headline + (", the published default" if best.trial == found.default else ""),
        under=f"{'Confirmed' if found.complete else 'So far'} on seeds that the search never used: {sure}. "
        + _state(state, now, found.complete),
        trial=best.trial,
        facts=tuple(facts),
        lines=(*conclusions(found, state), *(robustness(around) if around else ())),
        commands=_next(state, now, picked=True, complete=found.complete),
    )


def _none_held(state: SweepState, now: str, why: str) -> Answer:
    ended = [run for run in state.confirmations if run.end_reason]
    best = state.best_trial
    facts = [Fact("healthy seeds", f"0 of {len(ended)}", "of all finalists, on fresh ones"), _cost(state)]
    if best is not None:
        luck = "it was lucky: no fresh seed of it held"
        facts.insert(0, Fact("best of the search", f"trial {best.number}", luck))
    return Answer(
        state=now,
        tone="bad",
        headline="Nothing to use: no finalist held",
        under=f"{why[0].upper()}{why[1:]}.",
        trial=None,
        facts=tuple(facts),
        lines=tuple(summary(state)),
        commands=_next(state, now, picked=True, complete=False, healthy=False),
    )


def _searched(state: SweepState, now: str) -> Answer:
    best = state.best_trial
    if best is None:
        healthy = [trial for trial in state.trials.values() if trial.healthy]
        ended = [run for run in state.runs if run.end_reason]
        bad = bool(ended) and not healthy and now == "finished"
        return Answer(
            state=now,
            tone="bad" if bad else "open",
            headline="Nothing to use: no trial was healthy" if bad else "Nothing to use yet: no trial is completed",
            under=f"{no_healthy(state) + '.' if bad else ''} {STATES.get(now, '')}".strip(),
            trial=None,
            facts=(Fact("runs that ended", f"{len(ended)} of {len(state.runs)}"), _cost(state)),
            lines=tuple(summary(state)),
            commands=_next(state, now, picked=False, complete=False, healthy=bool(healthy)),
        )
    tail, of_best = best.tail(state.metric), best.summary(state.metric)
    error = of_best.errors.get(state.metric)
    about = f"± {number(2 * error)} over redraws of the samples" if error is not None else "the median of 3 evaluations"
    seeds = len(best.counted)
    facts = [Fact(f"{state.metric}, tail", number(tail), about + floors(state, tail))]
    facts.append(Fact("seeds", str(seeds), "not confirmed on fresh ones" if seeds > 1 else "it may have been luck"))
    if (expected := expectation(state)) is not None:
        facts.append(
            Fact("on further seeds", number(expected.score), f"to be expected; 95%: {span(expected.interval)}")
        )
    default = state.default_tail
    if best is state.default:
        facts.append(Fact("against the default", "it is the default", "no trial beat it"))
    elif default is not None and tail is not None and state.default is not None:
        apart = error_of_difference(of_best, state.default.summary(state.metric), state.metric)
        within = WITHIN if within_errors(tail - default, apart) else f"the default has {number(default)}"
        facts.append(Fact("against the default", signed(tail - default), within))
    facts.append(_cost(state))
    return Answer(
        state=now,
        tone="open",
        headline=f"Trial {best.number} is the best so far, and not confirmed",
        under="The best of a search was partly lucky: confirm it on fresh seeds first. " + _state(state, now, False),
        trial=best.number,
        facts=tuple(facts),
        lines=tuple(summary(state)),
        commands=_next(state, now, picked=state.pick is not None, complete=False),
    )


def _state(state: SweepState, now: str, confirmed: bool) -> str:
    """What is to be known of a sweep, or of its pick, that is not over."""
    if state.pick is None or confirmed:
        return STATES.get(now, "")
    if now == "running":
        return CONFIRMING["running"] if state.picking == "started" else STATES["running"]
    return CONFIRMING["failed" if state.picking == "failed" else "interrupted"]


def _cost(state: SweepState) -> Fact:
    hours = spent(state).total * (state.share or 1.0) / 3600
    runs = len(state.runs) + len(state.confirmations) + len(state.perturbed)
    unit = "GPU-hours" if state.share else "core-hours"
    return Fact("cost", f"{hours:.2g} {unit}", f"{runs} runs in {clock(state.seconds)}")


def _percent(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.0%} to {interval[1]:.0%}"


def _next(
    state: SweepState, now: str, picked: bool, complete: bool, healthy: bool = True
) -> tuple[tuple[str, str], ...]:
    commands = []
    if now in ("interrupted", "failed"):
        commands.append((state.command("resume"), "go on with the search"))
    if not complete and healthy and now != "running":
        commands.append((state.command("pick"), "go on with the race" if picked else "confirm the best on fresh seeds"))
    if complete and state.folder is not None:
        commands.append((f"gansweep train {state.folder / 'best.yaml'}", "train it; the evidence is in its comments"))
    commands.append((state.command("ui"), "every curve and checkpoint, in MLflow"))
    return tuple(commands)

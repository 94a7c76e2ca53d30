"""What a person sees on the terminal: live progress, the leaderboard, and where everything else is written."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline import front
from pipeline.errors import Unreachable
from pipeline.report.status import trial_rows
from pipeline.results import HEALTH_REASONS, Run
from pipeline.state import SweepState

REFRESH = 0.5  # seconds


@contextmanager
def logged_to(path: Path) -> Iterator[tuple[Console, TextIO]]:
    """Sends all that this process and its libraries print to `path`; yields the terminal's console (standard
    error) and the true standard output. Ray, Optuna and MLflow write from C++ and threads too, so the file
    descriptors themselves are turned."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise Unreachable(f"{path.parent}: cannot be written ({error.strerror}); choose another --home") from None
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    out, err = os.dup(1), os.dup(2)
    console, stdout = Console(file=os.fdopen(os.dup(err), "w")), os.fdopen(os.dup(out), "w")
    with path.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield console, stdout
    finally:
        logging.getLogger().removeHandler(handler)
        for stream in (sys.stdout, sys.stderr, console.file, stdout):
            with suppress(OSError):  # the log's disk is full
                stream.flush()
        os.dup2(out, 1)
        os.dup2(err, 2)
        for descriptor in (out, err):
            os.close(descriptor)


class Progress:
    """A watcher of the driver (see sweep.Watcher): a live view on a terminal, else a line for each run's end. `view`:
    makes the live view of driver, seconds and backlog; `runs`: those of the state whose end is said."""

    def __init__(
        self,
        console: Console,
        view: Callable[[Any, float, int], Group] | None = None,
        runs: Callable[[SweepState], list[Run]] = lambda state: state.runs,
    ) -> None:
        self._console, self._runs = console, runs
        self._view = view or (lambda driver, seconds, lines: render(driver.state, driver.trials, seconds, lines))

    @contextmanager
    def __call__(self, driver: Any, backlog: Callable[[], int]) -> Iterator[None]:
        over = threading.Event()
        began = time.monotonic()

        def view() -> Group:
            return self._view(driver, time.monotonic() - began, backlog())

        def loop() -> None:
            said: set[tuple[int, int]] = set()
            if not self._console.is_terminal:
                said = {(run.trial, run.seed) for run in self._runs(driver.state) if run.end_reason}
            with (
                Live(view(), console=self._console, refresh_per_second=4, transient=True)
                if (self._console.is_terminal)
                else _nothing() as live
            ):
                while not over.wait(REFRESH):
                    self._say_notices(driver)
                    if live is not None:
                        live.update(view())
                    else:
                        self._say_ends(driver.state, said)
            self._say_notices(driver)
            if not self._console.is_terminal:
                self._say_ends(driver.state, said)

        thread = threading.Thread(target=loop, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _say_notices(self, driver: Any) -> None:
        while driver.notices:
            self.say(f"note: {driver.notices.pop(0)}")

    def _say_ends(self, state: SweepState, said: set[tuple[int, int]]) -> None:
        for run in self._runs(state):
            if run.end_reason and (run.trial, run.seed) not in said:
                said.add((run.trial, run.seed))
                tail = run.tail(state.metric)
                name = state.configuration(run.trial).title + ("" if run.replicate is None else f" seed {run.seed}")
                self._console.print(
                    f"{name}: {run.end_reason} at {kimg(run.images)}, "
                    f"{state.metric} tail {number(tail)}, {run.seconds:.0f} s",
                    highlight=False,
                    soft_wrap=True,
                )


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def render(state: SweepState, total: int, seconds: float, backlog: int) -> Group:
    """The live view: counts, the running trials, the best so far, time gone and left, the tracker's backlog."""
    trials = list(state.trials.values())
    ended = [trial for trial in trials if trial.state == "finished"]
    running = [trial for trial in trials if trial.state == "running"]
    counts = Counter(str(trial.end_reason) for trial in ended)
    left = seconds / len(ended) * (total - len(ended)) if ended else None
    head = Text.assemble(
        (state.name, "bold"),
        f"  {len(ended)}/{total} trials  ",
        *[part for reason, n in counts.most_common() for part in ((f"{n} {reason}", style(reason)), "  ")],
        f"{clock(seconds)} gone",
        f", about {clock(left)} left" if left is not None else "",
    )
    lines: list[Any] = [head]
    for trial in running:
        for at, run in enumerate(trial.runs.values()):
            if run.state == "running":
                lines.append(progress_line(state, run, f"trial {trial.number:<4}" + (f" seed {at}" if at else "")))
    best = state.best_trial
    if best is not None:
        tail = best.tail(state.metric)
        lines.append(Text(f"  best so far: trial {best.number}, {state.metric} {number(tail)}{floors(state, tail)}"))
    if backlog > 50:
        lines.append(Text(f"  tracker: {backlog} lines behind", style="yellow"))
    return Group(*lines)


def progress_line(state: SweepState, run: Run, name: str) -> Text:
    """A running run: how far it is, and its last value."""
    budget = state.configuration(run.trial).spec["budget"]["images"]
    share = min(run.images / budget, 1.0)
    values = run.values(state.metric)
    return Text.assemble(
        f"  {name}",
        ("━" * round(20 * share) + "─" * (20 - round(20 * share)), "cyan"),
        f" {kimg(run.images):>10} of {kimg(budget)}   {state.metric} ",
        (number(values[-1][1]) if values else "–", "bold"),
    )


COLUMNS = {"trial": 5, "ended": 17, "tail": 6, "best": 6, "vs default": 10, "kimg": 5, "s": 4}


def leaderboard(state: SweepState, width: int, rows: int = 12) -> Table:
    """Best first; unhealthy ones with their end reason at the end. The last column is what was searched, in short,
    as far as `width` characters go; all of it is in `status --json` and in MLflow."""
    found = trial_rows(state)
    floor = f" (floor {number(state.floor)})" if state.floor is not None else ""
    if state.noise_floor is not None:
        floor = f" (noise floor {number(state.noise_floor)})"
    table = Table(title=f"{state.name}: {state.metric}{floor}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name, wide in COLUMNS.items():
        table.add_column(name, justify="left" if name == "ended" else "right", width=wide, no_wrap=True)
    left = width - sum(COLUMNS.values()) - 2 * len(COLUMNS)
    if left >= 20:
        table.add_column("searched", no_wrap=True, overflow="ellipsis", width=left)
    for row in found[:rows]:
        reason = str(row["end_reason"] or row["state"])
        default = state.default is not None and row["trial"] == state.default.number
        cells: list[Any] = [
            str(row["trial"]),
            Text(reason, style=style(reason)),
            number(row["tail"]),
            number(row["best"]),
            "default" if default else signed(row["versus_default"]),
            f"{row['images'] / 1000:.0f}",
            f"{row['seconds']:.0f}",
            short(state.trials[row["trial"]].params),
        ]
        table.add_row(*cells[: len(table.columns)])
    if len(found) > rows:
        table.add_row("…", f"{len(found) - rows} more")
    return table


def short(params: dict[str, Any]) -> str:
    """Parameters in a line: numbers with the last part of their key, choices by their value alone."""
    parts = []
    for key, value in sorted(params.items(), key=lambda item: "lr_" not in item[0]):
        parts.append(str(value) if isinstance(value, str) else f"{key.rpartition('.')[2]} {number(value)}")
    return "  ".join(parts)


def summary(state: SweepState) -> list[str]:
    """What came out, in a few lines: how runs ended, the best trial, and its difference to the default."""
    reasons = Counter(str(run.end_reason or "unfinished") for run in state.runs)
    lines = [
        f"{len(state.runs)} runs in {clock(state.seconds)}: " + ", ".join(f"{n} {r}" for r, n in reasons.most_common())
    ]
    if reasons["unfinished"]:
        lines.append(f"{reasons['unfinished']} unfinished; go on with: {state.command('resume')}")
    best = state.best_trial
    if best is None:
        return lines
    tail = best.tail(state.metric)
    lines.append(f"best: trial {best.number}, {state.metric} {number(tail)}{floors(state, tail)}, on one seed")
    default = state.default_tail
    if default is not None and tail is not None and best.number != 0:
        lines.append(f"against the default configuration (trial 0, {number(default)}): {signed(tail - default)}")
    elif best.number == 0:
        lines.append("the default configuration (trial 0) was not beaten")
    lines += front.words(state)
    lines.append("its parameters: " + "  ".join(f"{key}={number(value)}" for key, value in best.params.items()))
    return lines


def style(reason: str) -> str:
    if reason in ("completed", "running"):
        return "green"
    if reason in HEALTH_REASONS:
        return "red"
    return "yellow" if reason in ("rung", "waiting", "None", "unfinished") else "magenta"


def floors(state: SweepState, value: float | None) -> str:
    """', 1.1 floors' behind a distance that has a floor."""
    return f", {value / state.floor:.1f} floors" if value is not None and state.floor else ""


def number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return "–" if value is None else str(value)


def signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3g}"


def kimg(images: int) -> str:
    return f"{images / 1000:.0f} kimg"


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def overview(sweeps: list[tuple[SweepState, str]]) -> Table:
    """A row a sweep."""
    table = Table(box=None, pad_edge=False)
    for name in ("sweep", "state", "space", "trials", "best", "time"):
        table.add_column(name)
    for state, word in sweeps:
        best = state.best_trial
        tail = f"{state.metric} {number(best.tail(state.metric))} (trial {best.number})" if best else "–"
        table.add_row(
            state.name, Text(word, style=style(word)), state.source, str(len(state.trials)), tail, clock(state.seconds)
        )
    return table


def presets_table() -> Table:
    """A row a preset: what it is about and what it searches, by the sections of its file."""
    from pipeline.spec.load import load, presets

    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name in ("preset", "about, and what it searches"):
        table.add_column(name, overflow="fold")
    for name in presets():
        file = load(name)
        sections: dict[str, dict[str, None]] = {}
        for parameter in file.space.parameters():
            section, _, rest = parameter.key.partition(".")
            sections.setdefault(section, {})[rest or "which"] = None
        searched = "; ".join(f"{section}: {', '.join(keys)}" for section, keys in sections.items())
        table.add_row(Text(name, style="bold"), Text(file.about) + Text(f"\n{searched or 'nothing'}", style="dim"))
    return table

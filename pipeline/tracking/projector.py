"""One connection's work: bringing MLflow from what was sent to the end of the record, step by step."""

from __future__ import annotations

from pathlib import Path

from pipeline.judging.judgement import judgement
from pipeline.judging.votes import VOTES
from pipeline.record import log
from pipeline.record.state import SweepState
from pipeline.report.markdown import leaderboard
from pipeline.tracking import judged
from pipeline.tracking.fetching import Fetching
from pipeline.tracking.files import report, uploads
from pipeline.tracking.memory import RECORD, Memory, lines_between
from pipeline.tracking.mlflow import champion, views
from pipeline.tracking.mlflow.client import MlflowRuns
from pipeline.tracking.picked import view
from pipeline.tracking.projection import SWEEP, Key, Point, apply, identity, keys, title

BATCH = 200  # lines sent at a time


class Projector:
    """Holds the state as of the cursor. A step that raised leaves it useless: make a new one and go on."""

    def __init__(self, folder: Path, uri: str) -> None:
        """Connects and finds what is there; where runs are gone that were sent, all is sent again."""
        self.folder, self.record = folder, folder / RECORD
        lines, _ = log.read(self.record)
        sweep, name = identity(lines), title(lines, folder)
        self.memory = Memory.of(folder, uri)
        if self.memory.sweep not in ("", sweep):
            self.memory = Memory(uri, sweep)
        self.runs = MlflowRuns(uri, name, sweep, self.memory.experiment)
        there = set(self.runs.ids.values())
        known = self.memory.parent in there and set(self.memory.runs.values()) <= there
        if not known or self.memory.sweep != sweep:
            self.memory = Memory(uri, sweep)
        self.memory.experiment = self.runs.experiment
        sent = lines_between(folder, 0, self.memory.cursor)
        self.state = SweepState.fold(lines[:sent])
        self.name = name
        self._fetching = Fetching(folder, lines)

    def step(self) -> bool:
        """Sends the next lines, or, with all lines sent, the next files, then what eyes say of the samples. False:
        nothing is left."""
        return self._send_lines() or self._send_files() or self._send_judgement()

    def _send_lines(self) -> bool:
        lines, cursor = log.read(self.record, self.memory.cursor, limit=BATCH)
        points: dict[Key, list[Point]] = {}
        touched: set[Key] = set()
        for line in lines:
            added, changed = apply(self.state, line)
            touched |= changed
            for key, more in added.items():
                points.setdefault(key, []).extend(more)
        self._send(touched | points.keys(), points)
        if lines:
            self._remember(cursor)
        return bool(lines)

    def _send(self, touched: set[Key], points: dict[Key, list[Point]], alive: bool = True) -> None:
        self.state.name = self.state.name and self.name
        for key in keys(self.state):  # parents first
            if key in touched:
                self.runs.send(key, view(self.state, key, alive), points.get(key, []))
        if touched and self.state.name:
            self.runs.describe(leaderboard(self.state, limit=5000), {views.TAG: views.saved_view(self.state)})

    def _remember(self, cursor: int) -> None:
        ids = self.runs.ids
        self.memory.cursor, self.memory.parent = cursor, ids[SWEEP]
        for (trial, seed), run_id in ids.items():
            if trial is None:
                continue
            self.memory.runs[f"{trial}" if seed is None else f"{trial}/{seed}"] = run_id
            first = self.state.trials[trial].first if trial in self.state.trials else None
            if seed is None and first:
                self.memory.runs[f"{trial}/{first.seed}"] = run_id
        self.memory.write(self.folder)

    def _send_files(self) -> bool:
        """They have a cursor of their own: where artifacts cannot be stored, the curves go on."""
        limit = min(BATCH, lines_between(self.folder, self.memory.files, self.memory.cursor))
        lines, offset = log.read(self.record, self.memory.files, limit=limit)
        for line in lines:
            self._fetching.pictures(line)
            for upload in uploads(self.state, line, self.folder):
                self._fetching.file(upload.path)
                self.runs.upload(upload)
        if any(champion.due(self.state, line) for line in lines):
            champion.send(self.runs, self.state, self.folder, self._fetching.file)
        if lines:
            self.memory.files = offset
            self.memory.write(self.folder)
        return bool(lines)

    def _send_judgement(self) -> bool:
        """The ranking by the votes that there are, where they are others than those that it was sent for. The report
        has it too, once nobody is at work on the sweep."""
        path = self.folder / VOTES
        size = path.stat().st_size if path.exists() else 0
        ranked = judgement(self.folder) if size != self.memory.judged else None
        if ranked is not None:
            for key, points in judged.points(ranked).items():
                if key in self.runs.ids:
                    self.runs.send(key, view(self.state, key), points)
            ended = self.state.driver is not None and "started" not in (self.state.searching, self.state.picking)
            reports = report(self.state, self.folder) if ended else []
            for upload in [*judged.uploads(ranked, self.folder), *reports]:
                self.runs.upload(upload)
        if size != self.memory.judged:
            self.memory.judged = size
            self.memory.write(self.folder)
        return False

    def settle(self) -> None:
        """The driver died without a word: nothing that it left open stays RUNNING."""
        if self.state.driver and "started" in (self.state.searching, self.state.picking):
            self._send(set(keys(self.state)), {}, alive=False)

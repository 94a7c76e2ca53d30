"""The main job, read top to bottom: run and resume are the same function."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.drivers.driver import Runner
from pipeline.drivers.search import Driver
from pipeline.errors import InputError, NoHealthyTrial
from pipeline.record.home import (
    BEST,
    EVENTS,
    begun,
    command,
    existing,
    folder_of,
    free_name,
    has_trials,
    name_of,
    share,
)
from pipeline.record.log import Line, Record, read
from pipeline.record.state import SweepState
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, EvaluationSpec
from pipeline.space import places
from pipeline.space.load import SweepFile, from_tree, load
from pipeline.sweeps.session import Watcher, drive
from pipeline.tracking.mlflow.credentials import public
from pipeline.tracking.mlflow.location import asked, default_uri, of_home, settled

if TYPE_CHECKING:
    import pandas

    from pipeline.picking.finalists import Finalist
    from pipeline.picking.neighbours import Perturbation
    from pipeline.picking.verdict import Verdict

TOP, SEEDS = 3, 5  # of a pick: finalists by score, and fresh seeds


@dataclass(frozen=True)
class Launch:
    """Where and how long a sweep runs; remembered in its record, so that resume needs none of it again.
    trials and max_time (seconds, this session) of the file unless given. gpu_hours: of this session, core-hours
    where runs take no GPU."""

    data_root: str | None = None
    tracking_uri: str | None = None
    address: str | None = None
    gpus_per_trial: float = 0.0
    concurrency: int | None = None
    trials: int | None = None
    max_time: float | None = None
    gpu_hours: float | None = None
    moved: dict[str, str] = field(default_factory=dict)  # data and code that are elsewhere now, by their former names


@dataclass(frozen=True)
class Sweep:
    """One search: a name, a folder of its own, and what is in its record."""

    folder: Path
    file: SweepFile
    launch: Launch
    token: str = ""  # of a new one: tells it from another of the same name that was begun meanwhile

    @classmethod
    def from_file(
        cls,
        space: str | Path,
        overrides: Sequence[str] = (),
        *,
        name: str | None = None,
        home: str | Path | None = None,
        storage: str | Path | None = None,
        trials: int | None = None,
        seed: int | None = None,
        looking: bool = False,
        **launch: Any,
    ) -> Sweep:
        """A new sweep of a YAML file or preset; nothing is written yet. `launch`: the fields of Launch. looking: it is
        not to be run, and its name may be taken."""
        file = load(str(space), overrides, trials=trials, seed=seed)
        folder = folder_of(name_of(file.name) if name is None else name, storage or home)
        if name is None and folder.name != file.name:
            file = replace(file, notices=(*file.notices, f"the sweep is named {folder.name} (another: --name)"))
        share(folder.parent)
        if launch.get("data_root"):  # a resume may come from another working folder
            launch["data_root"] = str(Path(launch["data_root"]).expanduser().absolute())
        uri, named_by = asked(launch.get("tracking_uri"))
        launch["tracking_uri"] = settled(uri, folder.parent, named_by) if uri else None
        sweep = cls(folder, file, Launch(**launch), uuid.uuid4().hex)
        if not looking:
            sweep.check_new()
        return sweep

    def check_new(self) -> None:
        """Raises InputError where a new sweep's folder has another one, or the trials of one whose record is gone.
        Looked at again under the lock."""
        if not self.token:
            return
        free = f"start another: --name {free_name(self.folder.parent, self.folder.name)}"
        if begun(self.folder):
            if read(self.folder / EVENTS, limit=1)[0][0].get("token") != self.token:
                raise InputError(
                    f"the name {self.folder.name} is taken; go on with it: {command('resume', self.folder)}, or {free}"
                )
        elif has_trials(self.folder):
            raise InputError(
                f"{self.folder}: has trials and no record ({EVENTS}), so nothing can tell whose they are; put the "
                f"record back, move the folder away, or {free}"
            )

    @classmethod
    def open(cls, name: str, *, home: str | Path | None = None, data: str | None = None, **launch: Any) -> Sweep:
        """A sweep that is there, as its record has it; `launch`: fields of Launch to change. data: where its data are
        now. What was moved along with its home is found by itself."""
        folder = existing(name, home)
        share(folder.parent)
        lines, _ = read(folder / EVENTS)
        first = lines[0]
        starts = [line["launch"] for line in lines if line["event"] == "driver" and line["state"] == "started"]
        before = Launch(**starts[-1]) if starts else Launch()
        was = [Path(line["place"]["folder"]) for line in lines if line["event"] == "driver" and "place" in line]
        there = {name: now for name, now in before.moved.items() if Path(places.file_of(now)).exists()}
        named = {"space": first["space"], "root": before.data_root}
        names = (places.moved(named, was[0], folder.absolute()) if was else {}) | there
        before = replace(before, data_root=names.get(str(before.data_root), before.data_root))
        if data is not None:
            names = names | places.renamed(str(first["space"]["data"]["name"]), data)
        changed = {key: value for key, value in launch.items() if value is not None}
        if uri := changed.get("tracking_uri"):
            changed["tracking_uri"] = settled(uri, folder.parent)
        if root := changed.get("data_root"):
            changed["data_root"] = str(Path(root).expanduser().absolute())
        return cls(
            folder,
            from_tree(places.placed(first["space"], names), first["source"]),
            replace(before, **{"max_time": None, "gpu_hours": None, **changed, "moved": names}),
        )

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> SweepState:
        """What the record says now."""
        return SweepState.fold(read(self.folder / EVENTS)[0], self.folder)

    @property
    def tracking_uri(self) -> str:
        """What it sends to, without user and password."""
        uri, home = self.launch.tracking_uri, self.folder.parent
        return public(of_home(uri, home)) if uri else default_uri(home)

    @property
    def cache(self) -> Path:
        return self.folder.parent / "cache"

    def trials(self) -> pandas.DataFrame:
        """A row a trial: number, end_reason, tail, best and final of the objective, images, seconds, params."""
        import pandas

        from pipeline.report.status import trial_rows

        return pandas.DataFrame(trial_rows(self.state))

    def run(self, watch: Watcher | None = None, accept_changes: bool = False) -> SweepState:
        """Runs the sweep, or goes on with it, until its trials are done or it is stopped. accept_changes: also where
        data or the user's own code are not those that it was started with.

        Raises InputError (also where another driver is at it), Unreachable before the first trial starts where
        tracker, storage or cluster are not there, and NoHealthyTrial at the end where it has none.
        """

        def searching(record: Record, lines: list[Line], concurrency: int) -> Runner:
            return Driver(
                self.folder.absolute(),
                record,
                lines,
                self.file,
                concurrency=concurrency,
                trials=self.launch.trials or self.file.sweep.search.trials,
                cuda=self.launch.gpus_per_trial > 0,
            )

        longest = self.launch.max_time or self.file.sweep.search.max_time
        state = drive(self, "search", searching, watch, longest, "resume", accept_changes)
        if not any(trial.healthy for trial in state.trials.values()):
            from pipeline.picking.finalists import no_healthy

            raise NoHealthyTrial(no_healthy(state))
        return state

    def asked_of_pick(self, top: int | None, seeds: int | None) -> tuple[int, int]:
        """The two settings of a pick with what was not given: as a pick has it that is not over, else 3 (of fewer
        trials all) and 5."""
        from pipeline.picking.standing import race

        state = self.state
        last = state.pick
        over = not last or not race(state, [int(each) for each in last["finalists"]], int(last["seeds"])).wanted
        before = {"top": min(TOP, len(state.trials)) or TOP, "seeds": SEEDS} if over else last
        return top or before["top"], before["seeds"] if seeds is None else seeds

    def finalists(self, top: int = TOP, seeds: int = SEEDS) -> list[Finalist]:
        """Whom pick() confirms; raises what it does for its input."""
        from pipeline.picking.finalists import finalists

        if seeds < 2:
            raise InputError(f"--seeds: found {seeds}; valid: 2 or more, one seed says nothing of the next")
        return finalists(self.state, self.file.space, top)

    def pick(
        self, top: int = TOP, seeds: int = SEEDS, watch: Watcher | None = None, perturb: Perturbation | None = None
    ) -> Verdict:
        """Confirms the finalists (picking/finalists.py) on fresh seeds, or goes on with it, and writes best.yaml.
        perturb: trains the winner's neighbours too; what came out is in picking/plateau.py.

        Raises what run() does, InputError for a `top` beyond the number of trials, fewer than 2 seeds or a factor
        that is not above 1, and NoHealthyTrial where no finalist stayed healthy on any of them.
        """
        from pipeline.drivers.pick import PickDriver
        from pipeline.picking import neighbours
        from pipeline.picking.standing import race
        from pipeline.picking.verdict import verdict
        from pipeline.report.best_yaml import write

        if perturb:
            perturb.check()
        state, chosen = self.state, self.finalists(top, seeds)
        numbers = [finalist.trial for finalist in chosen]
        settings = {"top": top, "seeds": seeds, "finalists": {str(each.trial): list(each.why) for each in chosen}}

        def picking(record: Record, lines: list[Line], concurrency: int) -> Runner:
            last = next((line for line in reversed(lines) if line["event"] == "pick"), {})
            if {key: last.get(key) for key in settings} != settings:
                lines.append(record.append("pick", **settings))
            then = (lambda now: neighbours.begin(record, now, self.file, perturb)) if perturb else None
            return PickDriver(
                self.folder.absolute(),
                record,
                lines,
                self.file,
                concurrency=concurrency,
                finalists=numbers,
                seeds=seeds,
                then=then,
            )

        done = {key: state.pick.get(key) for key in settings} == settings and not race(state, numbers, seeds).wanted
        if not done or state.picker.get("state") != "finished" or (perturb and not neighbours.done(state, perturb)):
            state = drive(self, "pick", picking, watch, self.launch.max_time, neighbours.verb(perturb))
        found = verdict(state)
        write(self.folder / BEST, state)
        return found

    @property
    def data(self) -> DataSpec:
        return parse(DataSpec, self.file.tree["data"], self.file.source)

    @property
    def evaluation(self) -> EvaluationSpec:
        return parse(EvaluationSpec, self.file.tree["evaluation"], self.file.source)

"""The main job, read top to bottom: run and resume are the same function."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline import lock
from pipeline.data.catalogue import check_path
from pipeline.driver import Driver
from pipeline.errors import GansweepError, InputError, NoHealthyTrial, Unreachable
from pipeline.home import BEST, EVENTS, LOG, STOP, existing, folder_of, free_name
from pipeline.metrics.catalogue import check_objective, own_metrics
from pipeline.record import Line, Record, read
from pipeline.runs import Runner
from pipeline.spec.base import parse
from pipeline.spec.check import check_data, to_build
from pipeline.spec.load import SweepFile, from_tree, load
from pipeline.spec.trial import DataSpec, EvaluationSpec
from pipeline.state import SweepState

if TYPE_CHECKING:
    import pandas

    from pipeline.picking.finalists import Finalist
    from pipeline.picking.verdict import Verdict

ASKED = ("interrupted", "stopped")  # what a driver stops for because someone wants it to

# What a watcher (the live display) is given once a run of the driver begins: the driver and a backlog to ask.
Watcher = Callable[[Runner, Callable[[], int]], Any]


@dataclass(frozen=True)
class Launch:
    """Where and how long a sweep runs; remembered in its record, so that resume needs none of it again.
    trials and max_time (seconds, this session) of the file unless given."""

    data_root: str | None = None
    tracking_uri: str | None = None
    address: str | None = None
    gpus_per_trial: float = 0.0
    concurrency: int | None = None
    trials: int | None = None
    max_time: float | None = None


@dataclass(frozen=True)
class Sweep:
    """One search: a name, a folder of its own, and what is in its record."""

    folder: Path
    file: SweepFile
    launch: Launch

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
        **launch: Any,
    ) -> Sweep:
        """A new sweep of a YAML file or preset; nothing is written yet. `launch`: the fields of Launch."""
        file = load(str(space), overrides, trials=trials, seed=seed)
        folder = folder_of(file.name if name is None else name, storage or home)
        if launch.get("data_root"):  # a resume may come from another working folder
            launch["data_root"] = str(Path(launch["data_root"]).absolute())
        if (folder / EVENTS).exists():
            free = free_name(folder.parent, folder.name)
            raise InputError(
                f"the name {folder.name} is taken; go on with it: gansweep resume {folder.name}, or start "
                f"another: --name {free}"
            )
        return cls(folder, file, Launch(**launch))

    @classmethod
    def open(cls, name: str, *, home: str | Path | None = None, **launch: Any) -> Sweep:
        """A sweep that is there, as its record has it; `launch`: fields of Launch to change."""
        folder = existing(name, home)
        lines, _ = read(folder / EVENTS)
        first = lines[0]
        starts = [line["launch"] for line in lines if line["event"] == "driver" and line["state"] == "started"]
        before = Launch(**starts[-1]) if starts else Launch()
        changed = {key: value for key, value in launch.items() if value is not None}
        return cls(folder, from_tree(first["space"], first["source"]), replace(before, **{"max_time": None, **changed}))

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> SweepState:
        """What the record says now."""
        return SweepState.fold(read(self.folder / EVENTS)[0])

    @property
    def tracking_uri(self) -> str:
        from pipeline.tracking.tracker import default_uri

        return self.launch.tracking_uri or default_uri(self.folder.parent)

    @property
    def cache(self) -> Path:
        return self.folder.parent / "cache"

    def trials(self) -> pandas.DataFrame:
        """A row a trial: number, end_reason, tail, best and final of the objective, images, seconds, params."""
        import pandas

        from pipeline.report.status import trial_rows

        return pandas.DataFrame(trial_rows(self.state))

    def run(self, watch: Watcher | None = None) -> SweepState:
        """Runs the sweep, or goes on with it, until its trials are done or it is stopped.

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

        state = self._drive("search", searching, watch, self.launch.max_time or self.file.sweep.search.max_time)
        if not any(run.healthy for run in state.runs):
            raise NoHealthyTrial(no_healthy(state))
        return state

    def finalists(self, top: int = 3, seeds: int = 5) -> list[Finalist]:
        """Whom pick() confirms; raises what it does for its input."""
        from pipeline.picking.finalists import finalists

        if seeds < 2:
            raise InputError(f"--seeds: found {seeds}; valid: 2 or more, one seed says nothing of the next")
        return finalists(self.state, self.file.space, top)

    def pick(self, top: int = 3, seeds: int = 5, watch: Watcher | None = None) -> Verdict:
        """Confirms the finalists (picking/finalists.py) on fresh seeds, or goes on with it, and writes best.yaml.

        Raises what run() does, InputError for a `top` beyond the number of trials or fewer than 2 seeds, and
        NoHealthyTrial where no finalist stayed healthy on any of them.
        """
        from pipeline.picking.best import write
        from pipeline.picking.driver import PickDriver, race
        from pipeline.picking.verdict import verdict

        state, chosen = self.state, self.finalists(top, seeds)
        numbers = [finalist.trial for finalist in chosen]
        settings = {"top": top, "seeds": seeds, "finalists": {str(each.trial): list(each.why) for each in chosen}}

        def picking(record: Record, lines: list[Line], concurrency: int) -> Runner:
            last = next((line for line in reversed(lines) if line["event"] == "pick"), {})
            if {key: last.get(key) for key in settings} != settings:
                lines.append(record.append("pick", **settings))
            folder = self.folder.absolute()
            return PickDriver(folder, record, lines, self.file, concurrency=concurrency, finalists=numbers, seeds=seeds)

        same = {key: state.pick.get(key) for key in settings} == settings
        if race(state, numbers, seeds).wanted or not same or state.picker.get("state") != "finished":
            state = self._drive("pick", picking, watch, self.launch.max_time)
        found = verdict(state)
        write(self.folder / BEST, state)
        return found

    def _drive(
        self,
        doing: str,
        make: Callable[[Record, list[Line], int], Runner],
        watch: Watcher | None,
        max_time: float | None,
    ) -> SweepState:
        """Everything that a driver needs around it, from the lock to Ray and the tracker, until it is exhausted."""
        from pipeline import cluster
        from pipeline.tracking.tracker import Tracker, check

        spec, launch, samples = self.file.sweep, self.launch, self._evaluation.samples
        stop: list[Callable[[], None]] = []
        with ExitStack() as stack:
            stack.push(self._clear_if_nothing_began)
            check_path(self._data.name)
            self._make_folder()
            check(self.tracking_uri)
            held = lock.Lock(self.folder, each_beat=lambda: stop[0]() if stop else None)
            held.acquire()
            stack.callback(held.release)
            stack.enter_context(cluster.connected(launch.address, launch.gpus_per_trial))
            root = Path(launch.data_root) if launch.data_root else None
            data = self._data.model_dump(mode="json")
            prepared = cluster.prepare(data, samples, self.cache.absolute(), root, self._to_build())
            kind, mixture = prepared["data"]["kind"], prepared["data"]["mixture"]
            own = own_metrics(self.file.tree)
            check_objective(spec.objective, self._data.name, kind, mixture, self.file.source, own)
            check_data(self.file.space, kind, prepared["data"]["resolution"], prepared["data"]["classes"])
            record = Record(self.folder / EVENTS)
            stack.callback(record.close)
            trials = launch.trials or spec.search.trials
            lines = self._begin(doing, record, held, prepared, replace(launch, trials=trials))
            concurrency = launch.concurrency or spec.search.concurrency or cluster.slots(launch.gpus_per_trial)
            driver = make(record, lines, concurrency)
            stop.append(self._stopper(driver, held, max_time))
            tracker = Tracker(self.folder, self.tracking_uri)
            tracker.start()
            stack.enter_context(cluster.interruptible(driver))
            try:
                with watch(driver, tracker.backlog) if watch else ExitStack():
                    cluster.run(driver, self.folder, self.cache.absolute(), root, launch.gpus_per_trial)
                ended = "interrupted" if driver.stopping in ASKED else "finished"
            except BaseException:
                ended = "interrupted" if driver.stopping in ASKED else "failed"  # a second Ctrl-C is no failure
                raise
            finally:
                record.append("driver", doing=doing, session=held.session, state=ended, why=driver.stopping)
                tracker.close(timeout=5.0 if driver.stopping or tracker.error else 60.0)
        if ended == "interrupted":
            raise KeyboardInterrupt
        return driver.state

    def _begin(
        self, doing: str, record: Record, held: lock.Lock, prepared: dict[str, Any], launch: Launch
    ) -> list[Line]:
        """The lines of a driver's start, in a new record or at the end of one; returns all lines so far."""
        lines, _ = read(record.path)
        if not lines:
            (self.folder / "sweep.yaml").write_text(yaml.safe_dump(self.file.tree, sort_keys=False))
            lines.append(
                record.append(
                    "sweep",
                    name=self.name,
                    space=self.file.tree,
                    source=self.file.source,
                    spec=self.file.sweep.model_dump(mode="json"),
                    seed=self.file.sweep.search.seed,
                    versions=versions(),
                )
            )
        known = next((line for line in lines if line["event"] == "prepared"), None)
        if known is not None:
            self._check_same(known, prepared)
        lines.append(
            record.append(
                "driver",
                doing=doing,
                session=held.session,
                state="started",
                pid=os.getpid(),
                host=platform.node(),
                launch=launch.__dict__,
                torn=record.torn,
                taken_over=held.taken_over,
            )
        )
        if known is None:
            lines.append(record.append("prepared", **prepared))
        return lines

    def _check_same(self, known: Line, prepared: dict[str, Any]) -> None:
        """Raises InputError where data or features are not those that the sweep was started with."""
        if known["data"]["fingerprint"] != prepared["data"]["fingerprint"]:
            raise InputError(
                f"{self.name}: the data set {known['data']['name']} is not the one it was started with "
                f"({known['data']['fingerprint']}, now {prepared['data']['fingerprint']}); start another sweep"
            )
        if known["features"] != prepared["features"]:
            raise InputError(
                f"{self.name}: its distances were measured with the features {known['features']}, which the "
                f"cache no longer has (now {prepared['features']}); start another sweep"
            )

    def _stopper(self, driver: Runner, held: lock.Lock, max_time: float | None) -> Callable[[], None]:
        """What each heartbeat looks at: the lock, the stop file of another terminal, and the time."""
        began, path = time.monotonic(), self.folder / STOP
        path.unlink(missing_ok=True)

        def look() -> None:
            if held.lost:
                driver.stopping = driver.stopping or "interrupted"
            if path.exists():
                path.unlink(missing_ok=True)
                driver.stopping = driver.stopping or "stopped"
            if max_time and time.monotonic() - began > max_time:
                driver.stopping = driver.stopping or "max_time"

        return look

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".probe").write_text("")
            (self.folder / ".probe").unlink()
        except OSError as error:
            raise Unreachable(f"{self.folder}: cannot be written ({error.strerror}); choose another --home") from None

    def _clear_if_nothing_began(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Leaves no folder behind where a sweep was refused before its first line; a failure's log stays."""
        if isinstance(error, GansweepError) and self.folder.is_dir() and not (self.folder / EVENTS).exists():
            for name in (lock.NAME, lock.GUARD, LOG):
                (self.folder / name).unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _to_build(self) -> list[dict[str, Any]]:
        """What a worker builds once before the first trial; a checkpoint to start from must be the one it was."""
        specs = to_build(self.file.space)
        for source in {spec.init_from for spec in specs if spec.init_from}:
            source.check()
        return [spec.model_dump(mode="json") for spec in specs]

    @property
    def _data(self) -> DataSpec:
        return parse(DataSpec, self.file.tree["data"], self.file.source)

    @property
    def _evaluation(self) -> EvaluationSpec:
        return parse(EvaluationSpec, self.file.tree["evaluation"], self.file.source)


def versions() -> dict[str, str]:
    """What the sweep ran on, for the record."""
    packages = ("gansweep", "ray", "optuna", "mlflow", "torch")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def no_healthy(state: SweepState) -> str:
    """What failed most, for a sweep that ended without a healthy trial."""
    reasons = [run.end_reason for run in state.runs if run.end_reason]
    if not reasons:
        return f"{state.name}: no trial was started"
    most = max(set(reasons), key=reasons.count)
    return f"{state.name}: none of its {len(reasons)} runs was healthy; most ended as {most} ({reasons.count(most)})"

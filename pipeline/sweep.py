"""The main job, read top to bottom: run and resume are the same function."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline import lock
from pipeline.begin import begin, start_notices
from pipeline.data.catalogue import check_path
from pipeline.driver import Driver
from pipeline.errors import GansweepError, InputError, NoHealthyTrial, Unreachable
from pipeline.faults import CLUSTER_LOST, DISK_FULL, is_disk_full, needed
from pipeline.home import BEST, EVENTS, LOG, STOP, begun, command, existing, folder_of, free_name
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
    from pipeline.picking.neighbours import Perturbation
    from pipeline.picking.verdict import Verdict

ASKED = ("interrupted", "stopped")  # what a driver stops for because someone wants it to
FAILURES = (DISK_FULL, CLUSTER_LOST)  # ... and because it cannot go on
EARLY = (*ASKED, *FAILURES)


class Watcher(Protocol):
    """Who is shown what happens (console.Progress): a driver while it is at work, with its tracker's backlog."""

    def __call__(self, driver: Runner, backlog: Callable[[], int]) -> AbstractContextManager[Any]: ...

    def say(self, text: str) -> None: ...


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
        if begun(folder):
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
        return cls(
            folder,
            from_tree(first["space"], first["source"]),
            replace(before, **{"max_time": None, "gpu_hours": None, **changed}),
        )

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

        state = self._drive(
            "search", searching, watch, self.launch.max_time or self.file.sweep.search.max_time, accept_changes
        )
        if not any(run.healthy for run in state.runs):
            raise NoHealthyTrial(no_healthy(state))
        return state

    def finalists(self, top: int = 3, seeds: int = 5) -> list[Finalist]:
        """Whom pick() confirms; raises what it does for its input."""
        from pipeline.picking.finalists import finalists

        if seeds < 2:
            raise InputError(f"--seeds: found {seeds}; valid: 2 or more, one seed says nothing of the next")
        return finalists(self.state, self.file.space, top)

    def pick(
        self, top: int = 3, seeds: int = 5, watch: Watcher | None = None, perturb: Perturbation | None = None
    ) -> Verdict:
        """Confirms the finalists (picking/finalists.py) on fresh seeds, or goes on with it, and writes best.yaml.
        perturb: trains the winner's neighbours too; what came out is in picking/plateau.py.

        Raises what run() does, InputError for a `top` beyond the number of trials, fewer than 2 seeds or a factor
        that is not above 1, and NoHealthyTrial where no finalist stayed healthy on any of them.
        """
        from pipeline.picking import neighbours
        from pipeline.picking.best import write
        from pipeline.picking.driver import PickDriver, race
        from pipeline.picking.verdict import verdict

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
        accept_changes: bool = False,
    ) -> SweepState:
        """Everything that a driver needs around it, from the lock to Ray and the tracker, until it is exhausted."""
        from pipeline import cluster
        from pipeline.tracking.process import TrackerProcess

        spec, launch, samples = self.file.sweep, self.launch, self._evaluation.samples
        again = command("resume" if doing == "search" else doing, self.folder)
        stop: list[Callable[[], None]] = []
        with ExitStack() as stack:
            stack.push(self._clear_if_nothing_began)
            check_path(self._data.name)
            self._make_folder()
            self._check_tracker()
            held = lock.Lock(self.folder, each_beat=lambda: stop[0]() if stop else None)
            held.acquire()
            stack.callback(held.release)
            closing = ExitStack()  # what is to be closed by whoever comes to it first

            def abandon() -> None:
                """Ray is gone, and the main thread in a call to it."""
                closing.close()
                held.release()
                if watch:
                    watch.say(f"gansweep: {self._went_wrong(CLUSTER_LOST, again)}")

            ray = stack.enter_context(cluster.connected(launch.address, launch.gpus_per_trial, abandon))
            root = Path(launch.data_root) if launch.data_root else None
            data = self._data.model_dump(mode="json")
            prepared = cluster.prepare(data, samples, self.cache.absolute(), root, self._to_build())
            kind, mixture = prepared["data"]["kind"], prepared["data"]["mixture"]
            own = own_metrics(self.file.tree)
            for name in {spec.objective, *(each.metric for each in spec.objectives)}:
                check_objective(name, self._data.name, kind, mixture, self.file.source, own)
            check_data(self.file.space, kind, prepared["data"]["resolution"], prepared["data"]["classes"])
            record = Record(self.folder / EVENTS)
            stack.callback(record.close)
            trials = launch.trials or spec.search.trials
            slots = launch.concurrency or spec.search.concurrency or cluster.slots(launch.gpus_per_trial)
            lines = begin(self, doing, record, held, prepared, replace(launch, trials=trials), slots, accept_changes)
            driver = make(record, lines, slots)
            driver.notices += start_notices(record, held)
            stop.append(self._stopper(driver, held, max_time))
            tracker = TrackerProcess(self.folder, self.tracking_uri)
            tracker.start()
            stack.enter_context(cluster.interruptible(driver))

            ended = "interrupted"

            @closing.callback
            def end() -> None:
                with suppress(OSError):  # a full disk: without this line too it is known to be interrupted
                    record.append("driver", doing=doing, session=held.session, state=ended, why=driver.stopping)
                tracker.close(timeout=5.0 if driver.stopping or tracker.error else 60.0)

            ray.driver = driver
            try:
                if watch:
                    closing.enter_context(watch(driver, tracker.backlog))
                cluster.run(driver, self.folder, self.cache.absolute(), root, launch.gpus_per_trial)
                ended = "interrupted" if driver.stopping in EARLY else "finished"
            except BaseException as error:
                ended = "interrupted" if driver.stopping in EARLY else "failed"  # a second Ctrl-C is no failure
                if is_disk_full(error):
                    driver.stopping, ended = driver.stopping or DISK_FULL, "interrupted"
                elif driver.stopping not in FAILURES:
                    raise
            finally:
                closing.close()
        if driver.stopping in ASKED:
            raise KeyboardInterrupt
        if driver.stopping in FAILURES:
            raise GansweepError(self._went_wrong(driver.stopping, again))
        return driver.state

    def _went_wrong(self, what: str, again: str) -> str:
        state = self.state
        unfinished = max(1, sum(run.end_reason is None for run in (*state.runs, *state.confirmations)))
        if what == DISK_FULL:
            return f"{needed(self.folder, unfinished)}; then go on with: {again}"
        return f"the Ray cluster is gone; go on with: {again}"

    def _check_tracker(self) -> None:
        """A new sweep wants a tracker that is there; one that goes on has all in its record, and sends it later."""
        from pipeline.tracking.tracker import check

        try:
            check(self.tracking_uri)
        except Unreachable:
            if not begun(self.folder):
                raise

    def _stopper(self, driver: Runner, held: lock.Lock, max_time: float | None) -> Callable[[], None]:
        """What each heartbeat looks at: the lock, the stop file of another terminal, and the time."""
        began, path = time.monotonic(), self.folder / STOP
        path.unlink(missing_ok=True)
        before, hours = driver.state.spent(), self.launch.gpu_hours

        def look() -> None:
            if held.lost:
                driver.stopping = driver.stopping or "interrupted"
            if path.exists():
                path.unlink(missing_ok=True)
                driver.stopping = driver.stopping or "stopped"
            if max_time and time.monotonic() - began > max_time:
                driver.stopping = driver.stopping or "max_time"
            if hours and driver.state.spent(time.time()) - before > 3600 * hours:
                driver.stopping = driver.stopping or "gpu_hours"

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
        if isinstance(error, GansweepError) and self.folder.is_dir() and not begun(self.folder):
            for name in (lock.NAME, lock.GUARD, LOG, EVENTS):
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


def no_healthy(state: SweepState) -> str:
    """What failed most, for a sweep that ended without a healthy trial."""
    reasons = [run.end_reason for run in state.runs if run.end_reason]
    if not reasons:
        return f"{state.name}: no trial was started"
    most = max(set(reasons), key=reasons.count)
    return f"{state.name}: none of its {len(reasons)} runs was healthy; most ended as {most} ({reasons.count(most)})"

"""The main job, read top to bottom: a search, and the pick that confirms what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.drivers.search import SearchDriver
from pipeline.errors import InputError, NoHealthyTrial
from pipeline.record.home import BEST
from pipeline.record.state import SweepState
from pipeline.sweeps.bringing import has
from pipeline.sweeps.session import Errand, Session, Watcher
from pipeline.sweeps.setup import Launch, Setup

if TYPE_CHECKING:
    import pandas
    import plotly

    from pipeline.picking.finalists import Finalist
    from pipeline.picking.neighbours import Perturbation
    from pipeline.picking.verdict import Verdict

__all__ = ["SEEDS", "TOP", "Launch", "Sweep"]

TOP, SEEDS = 3, 5  # of a pick: finalists by score, and fresh seeds


class Sweep(Setup):
    """One search: a name, a folder of its own, and what is in its record."""

    def trials(self) -> pandas.DataFrame:
        """A row a trial: number, end_reason, tail, best and final of the objective, images, seconds, params."""
        import pandas

        from pipeline.report.status import trial_rows

        return pandas.DataFrame(trial_rows(self.state()))

    def figures(self) -> dict[str, plotly.graph_objects.Figure]:
        """The report's figures by name, for a notebook: sweep.figures()["learning-curves"]."""
        from pipeline.report.page.figures import figures

        return figures(self.state())

    def run(self, watch: Watcher | None = None, accept_changes: bool = False) -> SweepState:
        """Runs the sweep, or goes on with it, until its trials are done or it is stopped. accept_changes: also where
        data or the user's own code are not those that it was started with.

        Raises InputError (also where another driver is at it), Unreachable before the first trial starts where
        tracker, storage or cluster are not there, KeyboardInterrupt where it was stopped because someone wants it to,
        GansweepError with what is needed where the disk is full or Ray is gone, and NoHealthyTrial at the end where it
        has none.
        """
        from pipeline.picking.finalists import no_healthy

        longest = self.launch.max_time or self.file.sweep.search.max_time
        session = Session(self, Errand("search", "resume", longest, accept_changes), watch)
        with session.opened() as given:
            state = session.drive(SearchDriver(given, self.trials_wanted, cuda=self.launch.gpus_per_trial > 0))
        if not any(trial.healthy for trial in state.trials.values()):
            raise NoHealthyTrial(no_healthy(state))
        return state

    def asked_of_pick(self, top: int | None, seeds: int | None, state: SweepState | None = None) -> tuple[int, int]:
        """The two settings of a pick with what was not given: as a pick has it that is not over, else 3 (of fewer
        trials all) and 5."""
        from pipeline.picking.standing import race

        state = state or self.state()
        last = state.pick
        if last and race(state, last.numbers, last.seeds).wanted:
            return top or last.top, last.seeds if seeds is None else seeds
        return top or min(TOP, len(state.trials)) or TOP, SEEDS if seeds is None else seeds

    def finalists(self, top: int = TOP, seeds: int = SEEDS, state: SweepState | None = None) -> list[Finalist]:
        """Whom pick() confirms; raises what it does for its input."""
        from pipeline.picking.finalists import finalists

        if seeds < 2:
            raise InputError(f"--seeds: found {seeds}; valid: 2 or more, one seed says nothing of the next")
        return finalists(state or self.state(), self.file.space, top)

    def pick(
        self, top: int = TOP, seeds: int = SEEDS, watch: Watcher | None = None, perturb: Perturbation | None = None
    ) -> Verdict:
        """Confirms the finalists (picking/finalists.py) on fresh seeds, or goes on with it, and writes best.yaml.
        perturb: trains the winner's neighbours too; what came out is in picking/plateau.py.

        Raises what run() does, InputError for a `top` beyond the number of trials, fewer than 2 seeds or a factor
        that is not above 1, and NoHealthyTrial where no finalist stayed healthy on any of them.
        """
        from pipeline.drivers.pick import PickDriver, PickOrder
        from pipeline.picking import neighbours
        from pipeline.report.best_yaml import best_yaml

        if perturb:
            perturb.check()
        state = self.state()
        order = PickOrder(top, seeds, tuple(self.finalists(top, seeds, state)), perturb)
        session = Session(self, Errand("pick", neighbours.verb(perturb), self.launch.max_time), watch)
        if not order.done(state):
            with session.opened() as given:
                state = session.drive(PickDriver(given, order))
                return self._recommended(state, session)
        if self.stored and not has(self.stored, BEST, best_yaml(state)):  # that pick ended before it was there
            with session.claimed():
                return self._recommended(self.state(), session)
        return self._recommended(state)

    def _recommended(self, state: SweepState, session: Session | None = None) -> Verdict:
        """What the pick found, in best.yaml; in the storage too while the sweep is a session's."""
        from pipeline.picking.verdict import verdict
        from pipeline.report.best_yaml import write

        picked = verdict(state)
        write(self.folder / BEST, state)
        if session:
            session.put(BEST)
        return picked

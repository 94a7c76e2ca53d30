"""One home for all sweeps of a session, and one sweep that nothing interrupts, to compare the others with."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.record.events import Line
from pipeline.record.state import SweepState
from tests.integration.command import SWEEP, Done, events, gansweep, state_of


@dataclass(frozen=True)
class Finished:
    home: Path
    name: str
    done: Done

    @property
    def lines(self) -> list[Line]:
        return events(self.home, self.name)

    @property
    def state(self) -> SweepState:
        return state_of(self.home, self.name)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("integration") / "home"
    path.mkdir()
    return path


@pytest.fixture(scope="session")
def whole(home: Path) -> Finished:
    """A sweep of a few trials, one at a time, with nothing in its way."""
    return Finished(home, "whole", gansweep(home, "run", *SWEEP, "--name", "whole", "--json"))

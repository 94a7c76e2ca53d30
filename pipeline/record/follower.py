"""A sweep's state for whoever is not its driver, as the record grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from pipeline.record.events import Line, NodeSaid, Noticed, every
from pipeline.record.log import Record
from pipeline.record.state import SweepState


class Follower:
    """A state of one's own that follows a record: for any thread but the one that writes it. Hearing a line is safe
    from that thread; state() is for one thread alone, which may keep what it got until it calls again."""

    def __init__(self, record: Record, lines: Iterable[Line], folder: Path) -> None:
        """`lines`: all that the record holds; nothing must be written to it before this returns."""
        self._state = SweepState.fold(lines, folder)
        self._heard: deque[Line] = deque()
        self._notices: list[str] = []
        self._at_work = False  # the nodes that are there from the start are no news
        record.listen(self._heard.append)

    def state(self) -> SweepState:
        """The sweep as the record has it now."""
        while self._heard:
            line = self._heard.popleft()
            self._state.apply(line)
            self._notices += [f"trial {notice.trial}: {notice.text}" for notice in every(Noticed, [line])]
            self._notices += [node.said for node in every(NodeSaid, [line]) if node.why or self._at_work]
            self._at_work = self._at_work or line["event"] == "attempt"
        return self._state

    def notices(self) -> list[str]:
        """What users should know of the lines since the last call."""
        self.state()
        said, self._notices = self._notices, []
        return said

"""Several runs of one worker, trained in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.record.measurement import Measurement

Start = Callable[[], Iterator[Measurement]]


class Group:
    """An iterator of (run, measurement): each run to its next evaluation, in the order in which they were given, the
    number of a run being its place there; (run, None) where it came to its end. It, or one that is dropped, has no
    further turn, and what it held is let go of; the iterator ends with the last one.

    A run begins at its first turn. An error of it is raised as it comes, and `turn` still names it: who catches it
    drops that run, and the others go on.
    """

    def __init__(self, starts: Sequence[Start]) -> None:
        self._starts = dict(enumerate(starts))
        self._begun: dict[int, Iterator[Measurement]] = {}
        self._order = list(self._starts)

    @property
    def runs(self) -> tuple[int, ...]:
        """Those that go on."""
        return tuple(self._order)

    @property
    def turn(self) -> int:
        """The run that is next; IndexError where none is left."""
        return self._order[0]

    def drop(self, run: int) -> None:
        """Ends a run here and now; nothing to do for one that is no longer there."""
        self._order = [each for each in self._order if each != run]
        self._starts.pop(run, None)
        self._begun.pop(run, None)

    def __iter__(self) -> Iterator[tuple[int, Measurement | None]]:
        return self

    def __next__(self) -> tuple[int, Measurement | None]:
        if not self._order:
            raise StopIteration
        run = self.turn
        if run not in self._begun:
            self._begun[run] = self._starts[run]()
        measurement = next(self._begun[run], None)
        if measurement is None:
            self.drop(run)
        else:
            self._order.append(self._order.pop(0))
        return run, measurement

"""Whether Ray is still there: Tune would wait for it for ever, and calls to a head that is gone do not return."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

import psutil
import ray

from pipeline.drivers.driver import Driver
from pipeline.faults import CLUSTER_LOST

LOOK = 1.0  # seconds
GRACE = 5.0  # seconds in which Tune and Ray may end by themselves once Ray is gone
PATIENCE = 5.0  # seconds for an answer of another machine's head, which may be busy: three times
PROCESSES = ("gcs_server", "raylet")


class Watch:
    """Looks every second from its making to leave() and, once Ray is gone, until over().

    Ray gone, the `driver` (None: there is none yet) is told to stop; should that not come to an end, because the main
    thread is in a call that never returns, `abandon` is called and this process ends with exit code 1.
    """

    def __init__(self, abandon: Callable[[], None]) -> None:
        self.driver: Driver | None = None
        self._abandon = abandon
        self._over = threading.Event()
        self._lost = False
        threading.Thread(target=self._look, args=(_gone(),), name="ray", daemon=True).start()

    def leave(self) -> None:
        """Ray is about to be shut down by ourselves."""
        if not self._lost:
            self._over.set()

    def over(self) -> None:
        self._over.set()

    def _look(self, gone: Callable[[], bool]) -> None:
        while not self._over.wait(LOOK):
            if not gone():
                continue
            self._lost = True
            if self.driver is not None:
                self.driver.stopping = self.driver.stopping or CLUSTER_LOST
            if not self._over.wait(GRACE):
                self._abandon()
                for each in psutil.Process().children(recursive=True):
                    each.kill()
                os._exit(1)
            return


def _gone() -> Callable[[], bool]:
    """Says whether Ray is gone: its processes, where we started it; else whether its head still takes connections."""
    ours = [each for each in psutil.Process().children() if each.name() in PROCESSES]
    if ours:
        return lambda: any(not each.is_running() or each.status() == psutil.STATUS_ZOMBIE for each in ours)
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    failures = 0

    def unreachable() -> bool:
        nonlocal failures
        try:
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
            failures = 0
        except OSError:
            failures += 1
        return failures >= 3

    return unreachable

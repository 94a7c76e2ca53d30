"""What an autoscaler of the cluster is to see: room for runs that wait, as placement groups that fit on no node of now.

Runs themselves are handed out where there is room alone, so without these nothing would be seen to wait. Ray forgets
them with the sweep, whatever that ends by.
"""

from __future__ import annotations

import contextlib

import ray
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group

from pipeline.drivers.share import Share

NODE_ID = "ray.io/node-id"  # the label that every node has


class Demand:
    """Room for one run each, pending until a node joins, and given back to it at once: it is looked at first."""

    def __init__(self, share: Share) -> None:
        self._bundle = share.bundle
        self._groups: list[PlacementGroup] = []
        self._nodes: frozenset[str] = frozenset()

    def ask(self, count: int) -> None:
        """For the driver's thread, now and then. count: runs that wait."""
        if not count and not self._groups:
            return
        with contextlib.suppress(ray.exceptions.RayError, RuntimeError):  # Ray is gone: watch.py sees to that
            nodes = frozenset(each["NodeID"] for each in ray.nodes() if each["Alive"])
            if nodes != self._nodes:
                self._remove(self._groups)
            self._nodes = nodes
            self._remove([group for group in self._groups if _there(group)])  # on a node that joins just now
            self._remove(self._groups[count:])
            elsewhere = {NODE_ID: f"!in({','.join(sorted(nodes))})"}
            for _ in range(count - len(self._groups)):
                self._groups.append(placement_group([self._bundle], bundle_label_selector=[elsewhere]))

    def _remove(self, groups: list[PlacementGroup]) -> None:
        for group in list(groups):
            self._groups.remove(group)
            remove_placement_group(group)


def _there(group: PlacementGroup) -> bool:
    return bool(placement_group_table(group)["state"] == "CREATED")

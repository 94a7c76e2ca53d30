"""What an autoscaler sees of runs that wait, on a real cluster, and that it takes no room from anyone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest

from pipeline.cluster.demand import Demand
from pipeline.drivers.share import Share

pytestmark = [pytest.mark.slow, pytest.mark.cluster]
STORE = 100 * 2**20


@pytest.fixture
def made() -> Iterator[Any]:
    """A cluster of one node with one CPU, which this process is connected to."""
    import ray
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def pending(address: str) -> int:
    """Groups of one CPU that the autoscaler is told to wait for."""
    groups = [request for gang in gangs(address) for request in gang.requests]
    return sum(dict(request.resources_bundle) == {"CPU": 1.0} for request in groups)


def gangs(address: str) -> Any:
    from ray._raylet import GcsClient
    from ray.autoscaler.v2.sdk import get_cluster_resource_state

    return get_cluster_resource_state(GcsClient(address=address)).pending_gang_resource_requests


def launched(address: str) -> dict[str, int]:
    """What Ray's autoscaler would start of nodes of one CPU."""
    from ray.autoscaler.v2.instance_manager.config import NodeTypeConfig
    from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest

    request = SchedulingRequest(
        node_type_configs={"worker": NodeTypeConfig("worker", 0, 10, resources={"CPU": 1})},
        max_num_nodes=10,
        resource_requests=[],
        gang_resource_requests=gangs(address),
        cluster_resource_constraints=[],
        current_instances=[],
        idle_timeout_s=60,
        disable_launch_config_check=True,
    )
    reply = ResourceDemandScheduler(MagicMock()).schedule(request)  # it tells its log
    return {each.instance_type: each.count for each in reply.to_launch}


def free() -> float:
    import ray

    return float(ray.available_resources().get("CPU", 0))


def test_runs_that_wait_are_seen_and_leave_what_is_there_alone(made: Any) -> None:
    demand = Demand(Share())
    demand.ask(2)
    until(lambda: pending(made.address) == 2)
    assert launched(made.address) == {"worker": 2}
    assert free() == 1  # it is not for them, though they would fit
    made.add_node(num_cpus=1, object_store_memory=STORE)

    def given_back() -> bool:
        demand.ask(2)
        return free() == 2 and pending(made.address) == 2  # seen to be there, and asked for elsewhere

    until(given_back)
    demand.ask(0)
    until(lambda: pending(made.address) == 0)

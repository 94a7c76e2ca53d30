"""What answers at the address of a cluster: python knock.py HOST:PORT (or auto), which prints JSON.

A process of its own: Ray's client waits for minutes in a call that cannot be left, and ends the process where it gives
up.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def knocked(address: str) -> dict[str, Any]:
    """Ray's and Python's version there, and whether one of its nodes is on this machine; or the error, and whether a
    node on this machine has that address for its head's."""
    from ray._private.services import canonicalize_bootstrap_address_or_die, find_gcs_addresses, find_node_ids
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    joined = False
    try:
        address = canonicalize_bootstrap_address_or_die(address)
        joined = address in find_gcs_addresses()
        client = GcsClient(address=address)
        about = json.loads(client.internal_kv_get(b"CLUSTER_METADATA", namespace=b"cluster", timeout=5) or b"{}")
        there = {node.hex() for node, info in client.get_all_node_info(timeout=5).items() if info.state == 0}
    except Exception as error:
        return {"error": " ".join(str(error).split()), "joined": joined}
    versions = {"ray": about.get("ray_version"), "python": about.get("python_version")}
    return {"versions": versions, "here": bool(there & set(find_node_ids()))}


if __name__ == "__main__":
    print(json.dumps(knocked(sys.argv[1])), flush=True)

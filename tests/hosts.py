"""Hosts of the tests' own on this machine: network namespaces behind a bridge, each with a name, an address and a
temporary folder of its own, and a Ray's node on each. A link can be cut, a host lost with all that runs on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PORT = 6379
STORE = 100 * 2**20
# As deploy/ has it: a lost node is noticed in seconds.
NOTICED_SOON = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
# It waits until it has its link; then what only it is to see is covered by disks of its own.
BEGIN = 'read -r _ && hostname "$0" && for each in $OWN; do mount -t tmpfs tmpfs "$each" || exit 1; done; exec "$@"'

ALIVE = """
import sys, time
from ray._raylet import GcsClient
while True:
    try:
        nodes = GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5).values()
        if sum(node.state == 0 for node in nodes) == int(sys.argv[2]):
            break
    except Exception:
        pass
    time.sleep(0.2)
"""


def may_be_made() -> bool:
    """Root, in no container that forbids it, and with iproute2."""
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return False
    look = ["unshare", "--net", "--mount", "--uts", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass
class Host:
    name: str
    address: str
    link: str  # its end on the bridge
    process: subprocess.Popen[bytes]

    @property
    def inside(self) -> tuple[str, ...]:
        """What goes before a command that is to run there."""
        return ("nsenter", "--target", str(self.process.pid), "--net", "--mount", "--uts", f"--wd={Path.cwd()}", "--")

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def cut(self) -> None:
        _ip("link", "set", self.link, "down")

    def mend(self) -> None:
        _ip("link", "set", self.link, "up")

    def lose(self) -> None:
        """Its processes are gone, and with the last of them its network and disks."""
        everyone = [psutil.Process(self.process.pid), *self.processes()] if self.process.poll() is None else []
        for each in everyone:
            with suppress(psutil.Error):
                each.kill()
        self.process.wait()


@dataclass
class Network:
    """`hosts`: of the cluster that is there, its head first. `here`: this machine's address in it."""

    number: int
    temporary: Path
    hosts: list[Host] = field(default_factory=list)
    _addresses: Iterator[int] = field(default_factory=lambda: iter(range(2, 255)))

    @property
    def bridge(self) -> str:
        return f"gsb{self.number}"

    @property
    def here(self) -> str:
        return f"10.213.{self.number}.1"

    @property
    def cluster(self) -> str:
        return f"{self.hosts[0].address}:{PORT}"

    def node(self, name: str, cpus: int, own: Sequence[Path] = ()) -> Host:
        """A host with a Ray's node on it, the first with its head. `own`: folders of which it has its own."""
        number = next(self._addresses)
        address, both = f"10.213.{self.number}.{number}", f"{self.number}-{number}"
        link, other = f"gs{both}", f"gp{both}"
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
        start += ["--node-ip-address", address, "--num-cpus", str(cpus), "--object-store-memory", str(STORE)]
        if self.hosts:
            start += ["--address", self.cluster]
        else:
            start += ["--head", "--port", str(PORT), "--temp-dir", str(self.temporary), "--include-dashboard", "false"]
        environment = {**os.environ, **NOTICED_SOON, "OWN": " ".join(map(str, [self.temporary, *own]))}
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "sh", "-c", BEGIN, name, *start],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        host = Host(name, address, link, process)
        self.hosts.append(host)
        while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert process.poll() is None
        _ip("link", "add", link, "type", "veth", "peer", "name", other, "netns", str(process.pid))
        _ip("link", "set", link, "master", self.bridge, "up")
        there = ["nsenter", "--target", str(process.pid), "--net", "ip"]
        for told in (f"addr add {address}/24 dev {other}", f"link set {other} up", "link set lo up"):
            subprocess.run([*there, *told.split()], check=True, capture_output=True)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
        return host

    def up(self) -> None:
        """Waits until the cluster has all of the hosts."""
        command = [*self.hosts[0].inside, sys.executable, "-c", ALIVE, self.cluster, str(len(self.hosts))]
        subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)

    def lose(self) -> None:
        """All of the cluster; the next one is another."""
        for each in self.hosts:
            each.lose()
        self.hosts.clear()


@contextmanager
def network() -> Iterator[Network]:
    number = os.getpid() % 250
    made = Network(number, Path(tempfile.mkdtemp(prefix="gs-", dir="/tmp")))  # short: a socket's path is limited
    _ip("link", "add", made.bridge, "type", "bridge")
    try:
        _ip("addr", "add", f"{made.here}/24", "dev", made.bridge)
        _ip("link", "set", made.bridge, "up")
        yield made
    finally:
        made.lose()
        _ip("link", "del", made.bridge)
        shutil.rmtree(made.temporary, ignore_errors=True)

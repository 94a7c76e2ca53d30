"""What this machine has and lacks for a sweep, and how to get it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from pipeline.children import python
from pipeline.environment import RAY_TMPDIR, SESSION, address, answers, home_problem, temporary, writable
from pipeline.errors import GansweepError, Unreachable
from pipeline.record.home import home_of
from pipeline.schema.datasets import FILES, KNOWN
from pipeline.schema.features import FEATURES, hub, missing

NEEDED = {"ray": (2, 60), "optuna": (5, 0), "mlflow": (3, 17), "torch": (2, 11), "torchvision": (0, 26)}
TOKEN = "RAY_AUTH_TOKEN_PATH"
SPACE = 2**30  # bytes
LEAST_SHARED = 200 * 2**20  # bytes
PORTS = {
    6379: ("ray start --head", "--port 6380, and gansweep run --address HOST:6380"),
    8265: ("Ray's dashboard", "ray start --head --dashboard-port 8266"),
    5000: ("mlflow server", "--port 5001, and gansweep run --tracking-uri http://HOST:5001"),
}


@dataclass(frozen=True)
class Finding:
    """state: "ok", "note" (it works without) or "missing" (a sweep would fail)."""

    subject: str
    state: str
    said: str


def examine(home: Path | None, data_root: Path | None, as_json: bool, address: str | None = None) -> int:
    """Prints a line a finding; 3 where something is missing that every sweep needs, else 0."""
    place = home_of(home)
    findings = [
        *check_packages(),
        check_machine(),
        check_gpu(),
        check_shared_memory(),
        check_user_folder(),
        check_temporary(),
        *(check_nodes(address, place) if address else [check_cluster()]),
        *check_ports(),
    ]
    findings += [check_folder(place), check_tracker(place), *check_data(data_root), *check_features()]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{finding.state:<8} {finding.subject:<14} {finding.said}")
    return 3 if any(finding.state == "missing" for finding in findings) else 0


def check_packages() -> list[Finding]:
    findings = []
    for name, least in NEEDED.items():
        wanted = ".".join(map(str, least))
        try:
            have = version(name)
        except PackageNotFoundError:
            findings.append(Finding(name, "missing", f"not installed; pip install '{name}>={wanted}'"))
            continue
        numbers = tuple(int(part) for part in have.split("+")[0].split(".")[:2])
        state = "ok" if numbers >= least else "missing"
        findings.append(
            Finding(name, state, have if state == "ok" else f"{have} is too old; pip install '{name}>={wanted}'")
        )
    return findings


def check_machine() -> Finding:
    cpus, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().available
    said = f"{cpus} CPUs, {memory / SPACE:.1f} GiB of memory free"
    if memory < 2 * SPACE:
        return Finding("machine", "note", f"{said}; a run takes up to 1.5 GiB, use --concurrency 1")
    return Finding("machine", "ok", said)


def check_gpu() -> Finding:
    """torch is asked in a process of its own: this one has no need of it."""
    ask = "import torch.cuda as c; n = c.device_count(); print(n, *[c.get_device_name(i) for i in range(n)])"
    done = subprocess.run(python("-W", "ignore", "-c", ask), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return Finding("gpu", "missing", f"torch does not import: {said}")
    count, _, names = done.stdout.strip().partition(" ")
    if count == "0":
        return Finding(
            "gpu", "note", "none that torch can use; sweeps train on the CPU (with a GPU: --gpus-per-trial 0.5)"
        )
    return Finding("gpu", "ok", f"{names}; use --gpus-per-trial 1, or a share of one")


def check_shared_memory() -> Finding:
    """Where Ray keeps what its processes share; without it it takes to files, and says so at each start."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return Finding("shared memory", "note", "no /dev/shm; Ray uses files in its place, which is slower")
    free = shutil.disk_usage(shared).free
    said = f"{free / SPACE:.1f} GiB free in {shared}"
    if free < LEAST_SHARED:
        return Finding("shared memory", "note", f"{said}; Ray wants 0.2, a container: --shm-size=1g")
    return Finding("shared memory", "ok", said)


def check_cluster() -> Finding:
    """The cluster that a sweep takes where --address names none."""
    named = address(None)
    if named.cluster is None:
        said = "none named: a sweep starts Ray on this machine (a cluster: --address HOST:PORT)"
        return Finding("cluster", "ok", said)
    host, _, port = named.cluster.rpartition(":")
    if named.cluster == "auto":
        return Finding("cluster", "note", f"{named.said}: whichever Ray runs on this machine")
    if "/" in host or not host or not port.isdigit() or int(port) > 65535:
        return Finding("cluster", "missing", f"{named.said} is no address; valid: auto, local or HOST:PORT")
    if problem := answers(host.strip("[]"), int(port), patience=5.0):
        return Finding("cluster", "missing", f"{named.said} cannot be reached: {problem}; {named.way_out}")
    return Finding("cluster", "ok", f"{named.said} answers, and is what a sweep uses")


def check_nodes(asked: str, home: Path) -> list[Finding]:
    """What each node of a cluster has, and whether runs can go there: looked at as a sweep in this home does."""
    from pipeline import cluster

    try:
        with cluster.connected(asked, lambda: None):
            surveyed = list(cluster.survey(home.absolute()))
    except Unreachable as error:
        return [Finding("cluster", "missing", str(error))]
    except OSError as error:
        return [Finding("cluster", "missing", f"{home}: {error.strerror}; choose another with --home")]
    nodes = [Finding("node", "note" if why else "ok", f"{said}; {why}" if why else said) for said, why in surveyed]
    if not any(node.state == "ok" and "trains nothing" not in node.said for node in nodes):
        nodes.append(Finding("cluster", "missing", f"no node of {asked} can be used"))
    return nodes


def check_user_folder() -> Finding:
    problem = home_problem()
    if problem is None:
        return Finding("HOME", "ok", f"{Path.home()}, where Ray keeps its token")
    return Finding("HOME", "note", f"{problem}; a sweep's Ray has a token of its own then (or name one: {TOKEN})")


def check_temporary() -> Finding:
    """Where a Ray of our own would be: looked for as a sweep does."""
    try:
        folder, why = temporary()
    except Unreachable as error:
        return Finding("temporary", "missing", str(error))
    if why is not None:
        return Finding("temporary", "note", f"{why}; a sweep's Ray uses {folder} then (or name one: {RAY_TMPDIR})")
    return Finding("temporary", "ok", f"{folder}, where a sweep's Ray keeps {SESSION // 2**20} MiB or more")


def check_ports() -> list[Finding]:
    """The ports that a head, its dashboard and a tracking server take unless told otherwise; a sweep needs none."""
    findings = []
    for port, (who, instead) in PORTS.items():
        subject = f"port {port}"
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                said = f"taken by {_listening(port)}; {who} needs another one: {instead}"
                findings.append(Finding(subject, "note", said))
                continue
        findings.append(Finding(subject, "ok", f"free, for {who}"))
    return findings


def _listening(port: int) -> str:
    """The process behind a port, as far as this user may see it."""
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
            with contextlib.suppress(psutil.Error):
                return f"process {each.pid} ({psutil.Process(each.pid).name()})"
    return "another process"


def check_folder(home: Path) -> Finding:
    if not writable(home):
        return Finding("home", "missing", f"{home} cannot be written; choose another with --home or GANSWEEP_HOME")
    at = next(path for path in (home.absolute(), *home.absolute().parents) if path.exists())
    free = shutil.disk_usage(at).free
    said = f"{home}, {free / SPACE:.1f} GiB free"
    return Finding(
        "home", "ok" if free > SPACE else "note", said if free > SPACE else f"{said}; checkpoints may need more"
    )


def check_tracker(home: Path) -> Finding:
    from pipeline.tracking.mlflow.location import asked, check, default_uri, of_home, settled

    named, by = asked(None)
    try:
        uri = of_home(settled(named, home, by), home) if named else default_uri(home)
        check(uri, make=False)
    except GansweepError as error:
        return Finding("tracker", "missing", str(error))
    return Finding("tracker", "ok", f"{uri} ({by})" if named else uri)


def check_features() -> list[Finding]:
    """The features that want what gansweep never fetches: a package, files of weights."""
    findings = []
    for name, row in FEATURES.items():
        if row.package or row.files:
            lacking, use = missing(name), f"for evaluation.features: {name}"
            said = f"{use}; {lacking}" if lacking else f"in {hub()}, {use}"
            findings.append(Finding(name, "note" if lacking else "ok", said))
    return findings


def check_data(root: Path | None) -> list[Finding]:
    embedded = ", ".join(name for name, known in KNOWN.items() if not known.downloaded)
    findings = [Finding("data", "ok", f"{embedded}: nothing to download")]
    for name, folder in FILES.items():
        if root is None:
            findings.append(
                Finding(name, "note", "downloaded at the first use into --data-root (give it here to look)")
            )
        elif any((root / each / folder).exists() for each in (".", name)):
            findings.append(Finding(name, "ok", f"in {root}"))
        else:
            findings.append(
                Finding(name, "note", f"not in {root}; downloaded there at the first use, or put {folder} there")
            )
    return findings

"""What this machine has and lacks for a sweep, and how to get it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from pipeline.data.catalogue import KNOWN
from pipeline.errors import GansweepError
from pipeline.home import home_of

NEEDED = {"ray": (2, 60), "optuna": (5, 0), "mlflow": (3, 17), "torch": (2, 11), "torchvision": (0, 26)}
SPACE = 2**30  # bytes


@dataclass(frozen=True)
class Finding:
    """state: "ok", "note" (it works without) or "missing" (a sweep would fail)."""

    subject: str
    state: str
    said: str


def examine(home: Path | None, data_root: Path | None, as_json: bool) -> int:
    """Prints a line a finding; 3 where something is missing that every sweep needs, else 0."""
    findings = [*_packages(), _machine(), _gpu(), _folder(home_of(home)), _tracker(home_of(home)), *_data(data_root)]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{finding.state:<8} {finding.subject:<14} {finding.said}")
    return 3 if any(finding.state == "missing" for finding in findings) else 0


def _packages() -> list[Finding]:
    found = []
    for name, least in NEEDED.items():
        wanted = ".".join(map(str, least))
        try:
            have = version(name)
        except PackageNotFoundError:
            found.append(Finding(name, "missing", f"not installed; pip install '{name}>={wanted}'"))
            continue
        numbers = tuple(int(part) for part in have.split("+")[0].split(".")[:2])
        state = "ok" if numbers >= least else "missing"
        found.append(
            Finding(name, state, have if state == "ok" else f"{have} is too old; pip install '{name}>={wanted}'")
        )
    return found


def _machine() -> Finding:
    cpus, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().available
    said = f"{cpus} CPUs, {memory / SPACE:.1f} GiB of memory free"
    if memory < 2 * SPACE:
        return Finding("machine", "note", f"{said}; a run takes up to 1.5 GiB, use --concurrency 1")
    return Finding("machine", "ok", said)


def _gpu() -> Finding:
    """torch is asked in a process of its own: this one has no need of it."""
    ask = "import torch.cuda as c; n = c.device_count(); print(n, *[c.get_device_name(i) for i in range(n)])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ask], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return Finding("gpu", "missing", f"torch does not import: {said}")
    count, _, names = done.stdout.strip().partition(" ")
    if count == "0":
        return Finding(
            "gpu", "note", "none that torch can use; sweeps train on the CPU (with a GPU: --gpus-per-trial 0.5)"
        )
    return Finding("gpu", "ok", f"{names}; use --gpus-per-trial 1, or a share of one")


def _folder(home: Path) -> Finding:
    at = next(path for path in (home.absolute(), *home.absolute().parents) if path.exists())
    if not os.access(at, os.W_OK):
        return Finding("home", "missing", f"{at} cannot be written; choose another with --home or GANSWEEP_HOME")
    free = shutil.disk_usage(at).free
    said = f"{home}, {free / SPACE:.1f} GiB free"
    return Finding(
        "home", "ok" if free > SPACE else "note", said if free > SPACE else f"{said}; checkpoints may need more"
    )


def _tracker(home: Path) -> Finding:
    from pipeline.tracking.tracker import check, default_uri

    uri = os.environ.get("MLFLOW_TRACKING_URI") or default_uri(home)
    try:
        check(uri)
    except GansweepError as error:
        return Finding("tracker", "missing", str(error))
    return Finding("tracker", "ok", uri)


def _data(root: Path | None) -> list[Finding]:
    embedded = ", ".join(name for name, known in KNOWN.items() if not known.downloaded)
    found = [Finding("data", "ok", f"{embedded}: nothing to download")]
    folders = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "cifar10": "cifar-10-batches-py"}
    for name, folder in folders.items():
        if root is None:
            found.append(Finding(name, "note", "downloaded at the first use into --data-root (give it here to look)"))
        elif any((root / each / folder).exists() for each in (".", name)):
            found.append(Finding(name, "ok", f"in {root}"))
        else:
            found.append(
                Finding(name, "note", f"not in {root}; downloaded there at the first use, or put {folder} there")
            )
    return found

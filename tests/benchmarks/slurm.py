"""deploy/slurm/gansweep.sbatch on a Slurm of one node: told that its time is nearly over, it goes into the queue again,
and on from there.

pytest tests/benchmarks/slurm.py: as root, with Debian's slurmctld, slurmd, slurm-client and munge (of which it starts
what is not running); some three minutes, too long for the suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pipeline.record.events import Line
from tests.integration.command import PATIENCE, TINY, events, made_twice, measured, state_of
from tests.tracking.servers import until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "slurm" / "gansweep.sbatch"
NAME, TRIALS = "queued", 3
# Its own processes are all that it sees: another Ray of this machine is not there.
DAEMONS = 'slurmctld && sleep 2 && slurmd && exec sleep "$0"'
CONF = """
ClusterName=one
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
GresTypes=gpu
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={host} CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def asked(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def slurm(folder: Path) -> Iterator[None]:
    """For the time of the block its commands mean this one."""
    for name in ("spool", "state"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=os.uname().nodename.partition(".")[0], folder=folder))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SLURM_CONF", str(conf))
        if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
            asked("service", "munge", "start")
        isolated = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", DAEMONS, "3600"]
        started = subprocess.Popen(isolated, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(
                lambda: "idle" in subprocess.run(["sinfo"], capture_output=True, text=True, check=False).stdout,
                PATIENCE,
            )
            yield
        finally:
            for each in [*psutil.Process(started.pid).children(), psutil.Process(started.pid)]:
                each.kill()  # the first one's end is that of all
            started.wait()


@dataclass
class Story:
    said: str  # by the job
    before: list[Line]
    home: Path


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    for program in ("slurmctld", "slurmd", "sbatch", "munge", "unshare"):
        if shutil.which(program) is None or os.getuid() != 0:
            pytest.skip("wants root and Slurm (apt-get install slurmctld slurmd slurm-client munge)")
    home, folder = tmp_path_factory.mktemp("home"), Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    space = folder / "space.yaml"
    space.write_text((ROOT / "search_spaces" / "digits.yaml").read_text().replace("trials: 20", f"trials: {TRIALS}"))
    script = folder / "small.sbatch"  # budgets as in the suite; all else is as it is
    small = " ".join(TINY)
    script.write_text(SCRIPT.read_text().replace("--resume --address", f"--resume {small} --address"))
    out = folder / "out.txt"
    with slurm(folder), pytest.MonkeyPatch.context() as environment:
        environment.setenv("GANSWEEP_BIN", str(Path(sys.executable).parent))
        environment.setenv("GANSWEEP_HOME", str(home))
        environment.setenv("OMP_NUM_THREADS", "1")
        size = ["--nodes=1", "--cpus-per-task=2", "--gpus-per-node=0", "--time=60", f"--output={out}"]
        job = asked("sbatch", "--parsable", *size, str(script), str(space), NAME)

        def state() -> str:
            return asked("squeue", "--noheader", "--format=%t", "--job", job)

        until(lambda: measured(events(home, NAME), 0), PATIENCE)
        asked("scancel", "--batch", "--signal=USR1", job)  # as two minutes before the end of its time
        until(lambda: state() == "PD", PATIENCE)
        before = events(home, NAME)
        asked("scontrol", "update", f"jobid={job}", "StartTime=now")  # Slurm lets it wait for two minutes
        until(lambda: events(home, NAME)[-1].get("state") == "finished", PATIENCE)
        until(lambda: state() not in ("R", "CG"), PATIENCE)
    told = out.read_text()
    shutil.rmtree(folder)
    return Story(told, before, home)


def test_it_stops_within_its_time_and_says_so(story: Story) -> None:
    assert story.said.count("is nearly over: into the queue again") == 1
    assert "interrupted; go on with" in story.said
    assert story.before[-1]["event"] == "driver"
    assert story.before[-1]["state"] == "interrupted"


def test_it_goes_on_from_there_to_its_end(story: Story) -> None:
    lines = events(story.home, NAME)
    assert lines[: len(story.before)] == story.before
    state = state_of(story.home, NAME)
    assert len(state.trials) == TRIALS
    assert all(run.end_reason for run in state.runs)
    assert made_twice(lines) == []
    assert not list(story.home.glob(".ray-token-*"))

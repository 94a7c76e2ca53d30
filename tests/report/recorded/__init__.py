"""Real sweeps, each with its pick, as an archive: the record, and some pictures of the finalists. Tests look at their
reports without training anything.

python -m tests.report.recorded FOLDER OF A SWEEP   packs it; the sweep's name becomes the archive's
"""

import io
import tarfile
from pathlib import Path

from pipeline.record.events import Line
from pipeline.record.log import dumps, read

HERE = Path(__file__).resolve().parent
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in HERE.glob("*.tar.xz"))
KEPT = ("trials", "cpus_per_trial", "gpus_per_trial")  # of a launch: the rest is of the machine that it was made on
PICTURES = 3  # of each finalist's first fresh seed: at the start, in the middle and at the end


def unpacked(name: str, home: Path) -> Path:
    """The sweep's folder, in a home of the test's own."""
    with tarfile.open(HERE / f"{name}.tar.xz") as archive:
        archive.extractall(home, filter="data")
    return home / name


def pack(folder: Path) -> Path:
    from pipeline.sweeps.setup import Setup

    state = Setup.open(folder.name, home=folder.parent).state()
    assert state.pick is not None
    lines, _ = read(folder / "events.jsonl")
    record = "".join(dumps(_anywhere(line)) + "\n" for line in lines)
    into = HERE / f"{folder.name}.tar.xz"
    with tarfile.open(into, "w:xz") as archive:
        _add(archive, f"{folder.name}/events.jsonl", record.encode())
        for number in state.pick.numbers:
            run = next(iter(state.trials[number].confirmations.values()))
            there = sorted((folder / "trials" / str(number) / f"seed-{run.seed}" / "samples").glob("images-*.png"))
            chosen = [there[at * (len(there) - 1) // (PICTURES - 1)] for at in range(PICTURES)]
            for path in [*chosen, *there[0].parent.glob("nearest-*.png")]:
                _add(archive, f"{folder.name}/{path.relative_to(folder)}", path.read_bytes())
    return into


def _anywhere(line: Line) -> Line:
    """Without the places of the machine that it was made on."""
    launch = {name: value for name, value in (line.get("launch") or {}).items() if name in KEPT}
    return {key: value for key, value in line.items() if key not in ("place", "launch")} | (
        {"launch": launch} if "launch" in line else {}
    )


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))

"""Whether the code that a checkpoint names may be run: a file from elsewhere could name any that is on this disk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pipeline import plugin
from pipeline.errors import GansweepError, InputError, within
from pipeline.record.events import Prepared, every
from pipeline.record.home import EVENTS, TRIALS, begun
from pipeline.record.log import read
from pipeline.schema.trial import TrialSpec

ELSEWHERE = {"data", "evaluation"}  # what of a spec no network is made of: it is not run to sample


def code(spec: TrialSpec) -> list[str]:
    """What is run to build the networks of a spec, each as "file.py:object"."""
    return plugin.named(spec.model_dump(mode="json", exclude=ELSEWHERE))


def check_code(checkpoint: Path, spec: TrialSpec, home: Path) -> None:
    """Raises InputError for code that a checkpoint names, unless it is of a sweep in `home` that was trained with that
    very text: then it was the user's own wish."""
    named = code(spec)
    if not named:
        return
    known = recorded(checkpoint) if home.resolve() in checkpoint.resolve().parents else {}
    paths = dict.fromkeys(name.rpartition(":")[0] for name in named)
    with within(str(checkpoint)):
        now = plugin.fingerprints(plugin.sources(named))
    if all(known.get(path) == text for path, text in now.items()):
        return
    changed = " and is not what it was trained with" if known.keys() & paths.keys() else ""
    raise InputError(
        f"{checkpoint}: names code, which would be run here{changed}: {', '.join(named)}; where you trust both, add "
        "--trust-code"
    )


def recorded(checkpoint: Path) -> dict[str, str]:
    """The fingerprints of its code that the record of a checkpoint's sweep has, by the paths of the files; none in a
    record of before they were kept, and where there is no sweep."""
    with suppress(GansweepError):
        folder = _sweep(checkpoint.resolve())
        lines = read(folder / EVENTS)[0] if folder else []
        prepared = [prepared.code for prepared in every(Prepared, lines)]
        return {path: text for code in prepared for path, text in code.items()}
    return {}


def _sweep(checkpoint: Path) -> Path | None:
    """SWEEP of SWEEP/trials/NUMBER/seed-SEED/checkpoints/FILE."""
    above = checkpoint.parents
    if len(above) < 6 or above[3].name != TRIALS or not begun(above[4]):
        return None
    return above[4]

"""Whether the code that a checkpoint names may be run: a file from elsewhere could name any that is on this disk."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pipeline import plugin
from pipeline.errors import GansweepError, InputError
from pipeline.home import EVENTS, begun
from pipeline.record import read
from pipeline.spec.trial import TrialSpec

ELSEWHERE = {"data", "evaluation"}  # what of a spec no network is made of: it is not run to sample


def code(spec: TrialSpec) -> list[str]:
    """What is run to build the networks of a spec, each as "file.py:object"."""
    return plugin.named(spec.model_dump(mode="json", exclude=ELSEWHERE))


def check_code(checkpoint: Path, spec: TrialSpec, home: Path) -> None:
    """Raises InputError for code that a checkpoint names, unless it is of a sweep in `home` that was trained with that
    very text: then it was the user's own wish."""
    named = code(spec)
    if named and not (home.resolve() in checkpoint.resolve().parents and trained_with(checkpoint, named)):
        raise InputError(
            f"{checkpoint}: names code, which would be run here: {', '.join(named)}; where you trust both, add "
            "--trust-code"
        )


def trained_with(checkpoint: Path, named: list[str]) -> bool:
    """Whether the record of the sweep that a checkpoint is in has these files with the texts that they have now."""
    with suppress(GansweepError):
        recorded = _recorded(checkpoint)
        now = plugin.fingerprints(plugin.sources(named))
        return all(recorded.get(path) == text for path, text in now.items())
    return False


def its_own(checkpoint: Path) -> bool:
    """Whether a sweep that exports its own checkpoint may run what that names: not where the text has changed since.
    Records of before texts were kept have none."""
    with suppress(GansweepError):
        recorded = _recorded(checkpoint)
        return all(
            plugin.fingerprints(plugin.sources([f"{path}:_"])).get(path) == was for path, was in recorded.items()
        )
    return False


def _recorded(checkpoint: Path) -> dict[str, str]:
    """The fingerprints of its code that the record of a checkpoint's sweep has, by the paths of the files."""
    folder = _sweep(checkpoint.resolve())
    lines = read(folder / EVENTS)[0] if folder else []
    return {path: text for line in lines if line["event"] == "prepared" for path, text in line.get("code", {}).items()}


def _sweep(checkpoint: Path) -> Path | None:
    """SWEEP of SWEEP/trials/NUMBER/seed-SEED/checkpoints/FILE."""
    above = checkpoint.parents
    if len(above) < 6 or above[3].name != "trials" or not begun(above[4]):
        return None
    return above[4]

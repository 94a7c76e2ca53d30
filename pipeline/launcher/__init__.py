"""The command's entry, installed as `gansweep`, a name that no project of a user has: theirs may have a pipeline.py."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def main() -> None:
    """Runs the command with this package, whatever else is called `pipeline` on the way (PYTHONPATH)."""
    root = next(each for each in Path(__file__).resolve().parents if (each / "pipeline" / "cli" / "main.py").is_file())
    spec = importlib.util.find_spec("pipeline")  # which runs nothing of it
    if spec is None or spec.origin is None or not Path(spec.origin).resolve().is_relative_to(root):
        sys.path.insert(0, str(root))
        others = os.environ.get("PYTHONPATH", "")  # of what is started from here: trackers, Ray's workers
        os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [others])])
    from pipeline.cli.main import main as command

    command()

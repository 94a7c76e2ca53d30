"""Python processes of our own: started so that nothing in the working folder is taken for a module of theirs."""

from __future__ import annotations

import os
import sys


def python(*arguments: str) -> list[str]:
    """A command that runs this Python. -P: the working folder, where somebody may have a pipeline.py or a torch.py,
    is not looked into. What PYTHONWARNINGS wants of the user's own programs does not end MLflow."""
    warnings = ["-W", "default"] if os.environ.get("PYTHONWARNINGS") else []
    return [sys.executable, "-P", *warnings, *arguments]

"""gansweep finds GAN hyperparameters that hold.

import pipeline

sweep = pipeline.Sweep.from_file("digits")
sweep.run()
print(sweep.trials())
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.sweeps.sweep import Sweep

__all__ = ["Sweep"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "Sweep":  # only when asked for: importing the package costs nothing
        from pipeline.sweeps.sweep import Sweep

        return Sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

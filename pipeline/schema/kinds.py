"""The kinds of data, as facts that need no torch; a new one is a row here and a file like data/kinds/images.py."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What is asked of data by its kind, and never inferred from a shape."""

    name: str
    axes: int  # of one sample
    objective: str  # what a sweep compares by unless told otherwise: the metric that has a floor
    pixels: bool  # whether it has a resolution, and can be augmented as images are
    half: bool  # whether bfloat16 will do for it
    bounded: bool  # whether its values are in [-1, 1]: a generator of it ends in tanh
    words: str  # several of them
    form: str  # the module with how it is made float, laid out, checked and shown

    @property
    def of(self) -> Any:
        """The module `form`, for workers: it imports torch."""
        import importlib

        module: ModuleType = importlib.import_module(self.form)
        return module


KINDS: dict[str, Kind] = {
    each.name: each
    for each in (
        Kind("image", 3, "fid", True, True, True, "images", "pipeline.data.kinds.images"),
        # bfloat16 has 3 significant digits, coarser than a mode of the ring is wide
        Kind("points", 1, "sliced_wasserstein", False, False, False, "points", "pipeline.data.kinds.points"),
    )
}

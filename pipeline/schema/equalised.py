"""What the specs of networks with equalised learning rates share: progressive growing's and StyleGAN2's."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.schema.base import Strict
from pipeline.schema.layers import check_doubled, stages


class EqualisedSidesSpec(Strict):
    """Weights start from N(0, 1) and are scaled as they are used (Karras et al. 2018, sec. 4.1). width: channels at the
    images' resolution, doubled at each halving of it up to what the field named by `cap` says."""

    cap: ClassVar[str]

    network: str  # a name of FAMILIES
    width: int = Field(64, ge=1, le=1024)
    init: Literal["equalised"] = "equalised"

    @property
    def _most(self) -> int:
        most: int = getattr(self, self.cap)
        return most

    @model_validator(mode="after")
    def _room_for_the_first(self) -> EqualisedSidesSpec:
        if self._most < self.width:
            raise ValueError(f"{self.cap}: found {self._most}; valid: at least width ({self.width})")
        return self

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        check_doubled(self.network, resolution)

    def widths(self, resolution: int) -> list[int]:
        """The channels of each resolution, that of 4 x 4 pixels first."""
        return [min(self.width * 2**halved, self._most) for halved in range(stages(resolution), -1, -1)]

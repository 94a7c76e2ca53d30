"""The section `optimiser`, and the average of the generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.schema.base import Strict, scalar


@dataclass(frozen=True)
class OptimiserRow:
    """made: torch's class; betas: its arguments that beta1 and beta2 are, the same name where they are a pair; fused:
    whether its update can be one kernel on every device."""

    made: str
    betas: tuple[str, str] = ("betas", "betas")
    fused: bool = False

    def arguments(self, beta1: float, beta2: float) -> Mapping[str, Any]:
        """Of torch's class, besides parameters, rate and weight decay."""
        first, second = self.betas
        found: dict[str, Any] = {first: (beta1, beta2)} if first == second else {first: beta1, second: beta2}
        return found | ({"fused": True} if self.fused else {})


OPTIMISERS: dict[str, OptimiserRow] = {
    "adam": OptimiserRow("torch.optim:Adam", fused=True),
    "adamw": OptimiserRow("torch.optim:AdamW", fused=True),
    "nadam": OptimiserRow("torch.optim:NAdam"),
    "radam": OptimiserRow("torch.optim:RAdam"),
    "rmsprop": OptimiserRow("torch.optim:RMSprop", ("momentum", "alpha")),
}


class OptimiserSpec(Strict):
    """An optimiser of torch for each side: a row of OPTIMISERS, whose averages beta1 and beta2 are of (of rmsprop its
    momentum and alpha). lr_d, beta1_d and beta2_d: the discriminator's where they differ (None: the same; two rates are
    the two time scales of Heusel et al. 2017). lr_ratio: in place of lr_d, the discriminator's rate over the
    generator's: what is searched then is how fast both are, and which is the faster. discriminator_steps: for each
    generator step.

    schedule: of both rates over the budget. linear and cosine (half a wave, Loshchilov and Hutter 2017, eq. 5) end at
    `final_rate` times the rate (None: at 0), and begin after `hold`, a share of the budget. warmup: images over which
    both rates grow from 0 (Goyal et al. 2017, section 2.2), whatever the schedule."""

    name: Literal["adam", "adamw", "nadam", "radam", "rmsprop"] = "adam"
    lr_g: float = scalar(2e-4, gt=0, le=1)
    lr_d: float | None = scalar(None, gt=0, le=1)
    lr_ratio: float | None = scalar(None, gt=0, le=1000)
    beta1: float = scalar(0.5, ge=0, lt=1)
    beta2: float = scalar(0.999, ge=0, lt=1)
    beta1_d: float | None = scalar(None, ge=0, lt=1)
    beta2_d: float | None = scalar(None, ge=0, lt=1)
    discriminator_steps: int = Field(1, ge=1, le=20)
    weight_decay: float = scalar(0.0, ge=0, le=1)
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    final_rate: float | None = scalar(None, ge=0, le=1)
    hold: float = scalar(0.0, ge=0, lt=1)
    warmup: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _go_together(self) -> OptimiserSpec:
        if self.lr_d is not None and self.lr_ratio is not None:
            raise ValueError("found lr_d and lr_ratio; valid: one of them")
        if self.rates[1] > 1:
            raise ValueError(
                f"lr_ratio: found {self.lr_ratio} with an lr_g of {self.lr_g}; valid: at most {1 / self.lr_g:.6g}, "
                "a rate of 1"
            )
        if self.final_rate is not None and self.schedule == "constant":
            raise ValueError(f"final_rate: found {self.final_rate} with constant; valid: with linear or cosine")
        if self.hold and self.schedule == "constant":
            raise ValueError(f"hold: found {self.hold:g} with constant; valid: with linear or cosine")
        return self

    def of(self, side: Literal["generator", "discriminator"]) -> tuple[float, tuple[float, float]]:
        """Rate and betas of a side."""
        if side == "generator":
            return self.rates[0], (self.beta1, self.beta2)
        beta1 = self.beta1 if self.beta1_d is None else self.beta1_d
        return self.rates[1], (beta1, self.beta2 if self.beta2_d is None else self.beta2_d)

    @property
    def rates(self) -> tuple[float, float]:
        """The learning rates of the generator and of the discriminator."""
        if self.lr_ratio is not None:
            return self.lr_g, self.lr_g * self.lr_ratio
        return self.lr_g, self.lr_g if self.lr_d is None else self.lr_d


class EmaSpec(Strict):
    """The generator that is sampled is a running average of the trained one. half_life in images; 0: no average.
    ramp: it is never more than this share of the images so far (the ramp-up of Karras et al. 2020), so that a
    half_life above ramp * budget.images is not reached; None: without."""

    half_life: float = scalar(10_000.0, ge=0)
    ramp: float | None = scalar(0.05, gt=0, le=1)

"""The section `optimiser`, and the average of the generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.schema.base import Strict, scalar
from pipeline.schema.schedule import Decay, NotNegative, between, value_at


@dataclass(frozen=True)
class OptimiserRow:
    """made: torch's class; betas: its arguments that beta1 and beta2 are, the same name where they are a pair; fused:
    whether its update can be one kernel on every device."""

    made: str
    betas: tuple[str, str] = ("betas", "betas")
    fused: bool = False

    def arguments(self, beta1: float, beta2: float) -> Mapping[str, Any]:
        """Of torch's class, besides parameters, rate and weight decay."""
        return {**self.averages(beta1, beta2), **({"fused": True} if self.fused else {})}

    def averages(self, beta1: float, beta2: float) -> Mapping[str, Any]:
        """What both betas are among torch's arguments, and in a group of parameters."""
        first, second = self.betas
        return {first: (beta1, beta2)} if first == second else {first: beta1, second: beta2}


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
    both rates grow from 0 (Goyal et al. 2017, section 2.2), whatever the schedule. beta2 may have a schedule of its
    own."""

    name: Literal["adam", "adamw", "nadam", "radam", "rmsprop"] = "adam"
    lr_g: float = scalar(2e-4, gt=0, le=1)
    lr_d: float | None = scalar(None, gt=0, le=1)
    lr_ratio: float | None = scalar(None, gt=0, le=1000)
    beta1: float = scalar(0.5, ge=0, lt=1)
    beta2: Decay = scalar(0.999)
    beta1_d: float | None = scalar(None, ge=0, lt=1)
    beta2_d: Decay | None = scalar(None)
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

    def of(self, side: Literal["generator", "discriminator"], share: float = 0.0) -> tuple[float, tuple[float, float]]:
        """Rate, without its schedule, and betas of a side when `share` of the budget is spent."""
        if side == "generator":
            return self.rates[0], (self.beta1, value_at(self.beta2, share))
        beta1 = self.beta1 if self.beta1_d is None else self.beta1_d
        return self.rates[1], (beta1, value_at(self.beta2 if self.beta2_d is None else self.beta2_d, share))

    def factor(self, share: float) -> float:
        """What the schedule makes of both rates when `share` of the budget is spent."""
        if self.schedule == "constant":
            return 1.0
        return between(1.0, self.final_rate or 0.0, self.schedule, self.hold, share)

    @property
    def constant(self) -> bool:
        """Whether no rate and no beta moves."""
        moves = any(isinstance(each, Strict) for each in (self.beta2, self.beta2_d))
        return self.schedule == "constant" and not self.warmup and not moves

    @property
    def rates(self) -> tuple[float, float]:
        """The learning rates of the generator and of the discriminator."""
        if self.lr_ratio is not None:
            return self.lr_g, self.lr_g * self.lr_ratio
        return self.lr_g, self.lr_g if self.lr_d is None else self.lr_d


class EmaSpec(Strict):
    """The generator that is sampled is a running average of the trained one. half_life in images; 0: no average,
    and where a schedule brings it from or to 0 the last weights alone.
    ramp: it is never more than this share of the images so far (the ramp-up of Karras et al. 2020), so that a
    half_life above ramp * budget.images is not reached; None: without."""

    half_life: NotNegative = scalar(10_000.0)
    ramp: float | None = scalar(0.05, gt=0, le=1)

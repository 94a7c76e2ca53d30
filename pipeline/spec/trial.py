"""TrialSpec: everything that one training run is made of. Its keys are the keys of the YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.data.catalogue import lookup
from pipeline.errors import InputError
from pipeline.spec.base import Strict, scalar

Norm = Literal["none", "batch", "instance", "layer", "spectral"]
Activation = Literal["relu", "leaky_relu", "silu", "tanh", "elu"]
Init = Literal["normal", "xavier", "orthogonal", "kaiming"]


class DataSpec(Strict):
    """The training data. resolution None: the data set's own; images are resized to it otherwise."""

    name: str
    resolution: int | None = Field(None, ge=8, le=64)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            lookup(name)
        except InputError as error:
            raise ValueError(str(error)) from None
        return _absolute(name)


def _absolute(name: str) -> str:
    """Folders and files by their absolute path: workers have another working folder."""
    if name.startswith("imagefolder:"):
        return f"imagefolder:{Path(name.removeprefix('imagefolder:')).expanduser().absolute()}"
    file, separator, function = name.rpartition(":")
    return f"{Path(file).expanduser().absolute()}:{function}" if separator else name


class BudgetSpec(Strict):
    """images: training images shown to the discriminator over the whole run."""

    images: int = Field(gt=0)


class EvaluationSpec(Strict):
    """every: images between evaluations; samples: generated for each (None: as many as there are validation
    samples, at most 2,000); grid: samples a side of the sample picture."""

    every: int = Field(gt=0)
    samples: int | None = Field(None, ge=32)
    grid: int = Field(8, ge=2, le=16)


class AdversarialSpec(Strict):
    """Noise to sample (Goodfellow et al. 2014), with one of the objectives of games/objectives.py."""

    name: Literal["adversarial"] = "adversarial"
    objective: Literal["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"] = "non_saturating"


class LatentSpec(Strict):
    """gaussian: N(0, 1) in each of `size` dimensions; uniform: U(-1, 1)."""

    distribution: Literal["gaussian", "uniform"] = "gaussian"
    size: int = Field(64, ge=1, le=4096)


class MlpSpec(Strict):
    """`depth` hidden layers of `width` units. activation None: as in DcganSpec."""

    network: Literal["mlp"]
    width: int = Field(128, ge=1, le=8192)
    depth: int = Field(3, ge=1, le=16)
    norm: Norm = "none"
    activation: Activation | None = None
    init: Init = "kaiming"


class DcganSpec(Strict):
    """Radford et al. 2016 with `depth` stages of stride 2 (None: down to 4 x 4 or the odd size above it);
    `width` channels at the stage nearest the image, doubled at each stage away from it.
    activation None: relu in the generator, leaky_relu (0.2) in the discriminator."""

    network: Literal["dcgan"]
    width: int = Field(64, ge=1, le=1024)
    depth: int | None = Field(None, ge=1, le=5)
    norm: Norm = "batch"
    activation: Activation | None = None
    init: Init = "normal"


NetworkSpec = Annotated[MlpSpec | DcganSpec, Field(discriminator="network")]


class R1Spec(Strict):
    """weight / 2 * E|grad D(real)|^2 (Mescheder et al. 2018, eq. 9), every `interval` steps, times `interval`."""

    weight: float = scalar(10.0, gt=0)
    interval: int = Field(1, ge=1)


class WganGpSpec(Strict):
    """weight * E(|grad D(mix)| - 1)^2 (Gulrajani et al. 2017, eq. 3), every `interval` steps, times `interval`."""

    weight: float = scalar(10.0, gt=0)
    interval: int = Field(1, ge=1)


class RegularisersSpec(Strict):
    """Each one that is there is applied; null is the same as not there."""

    r1: R1Spec | None = None
    wgan_gp: WganGpSpec | None = None


class OptimiserSpec(Strict):
    """Adam for each side. beta1_d and beta2_d: the discriminator's where they differ (None: the same).
    discriminator_steps: for each generator step. linear: from the learning rate to 0 over the budget."""

    lr_g: float = scalar(2e-4, gt=0, le=1)
    lr_d: float = scalar(2e-4, gt=0, le=1)
    beta1: float = scalar(0.5, ge=0, lt=1)
    beta2: float = scalar(0.999, ge=0, lt=1)
    beta1_d: float | None = scalar(None, ge=0, lt=1)
    beta2_d: float | None = scalar(None, ge=0, lt=1)
    discriminator_steps: int = Field(1, ge=1, le=20)
    weight_decay: float = scalar(0.0, ge=0, le=1)
    schedule: Literal["constant", "linear"] = "constant"


class EmaSpec(Strict):
    """The generator that is sampled is a running average of the trained one. half_life in images, and never
    more than 0.05 of the images so far (the ramp-up of Karras et al. 2020); 0: no average."""

    half_life: float = scalar(10_000.0, ge=0)


class TrialSpec(Strict):
    """One configuration. device, precision and memory_format are chosen at launch where they are left None."""

    data: DataSpec
    budget: BudgetSpec
    evaluation: EvaluationSpec
    game: AdversarialSpec = AdversarialSpec()
    latent: LatentSpec = LatentSpec()
    generator: NetworkSpec
    discriminator: NetworkSpec
    regularisers: RegularisersSpec = RegularisersSpec()
    optimiser: OptimiserSpec = OptimiserSpec()
    ema: EmaSpec = EmaSpec()
    batch_size: int = Field(64, ge=2, le=8192)
    device: Literal["cpu", "cuda"] | None = None
    precision: Literal["fp32", "bf16"] | None = None
    memory_format: Literal["contiguous", "channels_last"] | None = None

    @model_validator(mode="after")
    def _can_be_built(self) -> TrialSpec:
        known = lookup(self.data.name)
        if self.evaluation.every > self.budget.images:
            raise ValueError(
                f"evaluation.every: found {self.evaluation.every}; valid: at most budget.images ({self.budget.images})"
            )
        if known is None:
            return self
        if known.kind == "image" and self.data.resolution is None and known.resolution is None:
            raise ValueError(f"data.resolution: missing; {self.data.name} needs one, from 8 to 64")
        if known.kind == "points" and self.data.resolution is not None:
            raise ValueError(f"data.resolution: found {self.data.resolution}; {self.data.name} is points, leave it out")
        for side in ("generator", "discriminator"):
            check_network(side, getattr(self, side), known.kind, self.data.resolution or known.resolution)
        return self


def check_network(side: str, network: MlpSpec | DcganSpec, kind: str, resolution: int | None) -> None:
    """ValueError where `network` cannot be built for this kind of data at this resolution."""
    if isinstance(network, MlpSpec):
        if network.norm == "instance":
            raise ValueError(f"{side}.norm: found instance; an mlp has no pixels, valid: none, batch, layer, spectral")
        return
    if kind == "points":
        raise ValueError(f"{side}.network: found dcgan; points have no pixels, valid: mlp")
    assert resolution is not None
    depth = network.depth
    if depth is None:
        if stages(resolution) == 0:
            raise ValueError(f"data.resolution: found {resolution}; dcgan halves it, valid: an even number")
    elif resolution % 2**depth or resolution // 2**depth < 2:
        valid = [d for d in range(1, 6) if resolution % 2**d == 0 and resolution // 2**d >= 2]
        raise ValueError(
            f"{side}.depth: found {depth}; a resolution of {resolution} cannot be halved {depth} times down to "
            f"2 x 2 or more, valid: {', '.join(map(str, valid)) or 'none, choose an even resolution'}"
        )


def stages(resolution: int) -> int:
    """How often a resolution can be halved without going under 4 pixels a side."""
    count = 0
    while resolution % 2 == 0 and resolution // 2 >= 4:
        resolution, count = resolution // 2, count + 1
    return count


def resolve(spec: TrialSpec, cuda: bool) -> TrialSpec:
    """The spec with everything decided that was left to the launch: fp32 on CPU, bf16 and channels_last on CUDA."""
    device = spec.device or ("cuda" if cuda else "cpu")
    known = lookup(spec.data.name)
    chosen: dict[str, Any] = {
        "device": device,
        "precision": spec.precision or ("bf16" if device == "cuda" else "fp32"),
        "memory_format": spec.memory_format or ("channels_last" if device == "cuda" else "contiguous"),
    }
    if spec.data.resolution is None and known is not None and known.kind == "image":
        chosen["data"] = spec.data.model_copy(update={"resolution": known.resolution})
    return spec.model_copy(update=chosen)

"""The network specs: what each side can be built of, and what cannot be built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Union

from pydantic import Discriminator, Field, Tag, field_validator

from pipeline.plugin import absolute, is_own
from pipeline.schema.base import OWN, Options, Strict
from pipeline.schema.enlargers import SrresnetSpec
from pipeline.schema.growing import ProgressiveDiscriminatorSpec, ProgressiveSpec
from pipeline.schema.kinds import KINDS
from pipeline.schema.layers import (
    WIDEST,
    Activation,
    GeneratorNorm,
    Init,
    JudgeSpec,
    MlpActivation,
    Norm,
    check_halvings,
    group_size,
    stages,
)
from pipeline.schema.published import InfoganDiscriminatorSpec, InfoganSpec, SndcganDiscriminatorSpec, SndcganSpec
from pipeline.schema.residual import R3ganDiscriminatorSpec, R3ganSpec, ResnetDiscriminatorSpec, ResnetSpec
from pipeline.schema.styles import Stylegan2DiscriminatorSpec, Stylegan2Spec
from pipeline.schema.translators import PatchSpec, TranslatorSpec, UnetSpec


class MlpSpec(Strict):
    """`depth` hidden layers of `width` units. activation None: as in DcganSpec; maxout: each unit the largest of 5
    linear ones (Goodfellow et al. 2013)."""

    network: str  # a name of FAMILIES
    width: int = Field(128, ge=1, le=8192)
    depth: int = Field(3, ge=1, le=16)
    norm: GeneratorNorm = "none"
    activation: MlpActivation | None = None
    init: Init = "kaiming"

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built."""
        if self.norm == "instance":
            raise ValueError(f"{side}.norm: found instance; an mlp has no pixels, valid: none, batch, layer, spectral")


class DcganSpec(Strict):
    """Radford et al. 2016 with `depth` stages of stride 2 (None: down to 4 x 4 or the odd size above it);
    `width` channels at the stage nearest the image, doubled at each stage away from it, to 16 times at most.
    activation None: relu in the generator, leaky_relu (0.2) in the discriminator.
    norm conditional_batch: gain and bias of each class (Dumoulin et al. 2017), the generator of a condition."""

    network: str
    width: int = Field(64, ge=1, le=1024)
    depth: int | None = Field(None, ge=1, le=6)
    norm: GeneratorNorm = "batch"
    activation: Activation | None = None
    init: Init = "normal"

    def widths(self, resolution: int) -> list[int]:
        """The channels of each stage, the one nearest the image first."""
        return [self.width * min(2**stage, WIDEST) for stage in range(self.depth or stages(resolution))]

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        assert resolution is not None
        check_halvings(self.network, (side, resolution), self.depth)


class MlpDiscriminatorSpec(JudgeSpec, MlpSpec):
    norm: Norm = "none"


class DcganDiscriminatorSpec(JudgeSpec, DcganSpec):
    norm: Norm = "batch"


class OwnNetworkSpec(Strict):
    """network: "file.py:object" of your own, a class or function that gives an nn.Module (see games/networks);
    options: its hyperparameters, given by keyword. Norm, initialisation and all else are its own affair."""

    network: str
    options: Options = {}
    norm: ClassVar[str] = OWN
    minibatch: ClassVar[str] = OWN

    @field_validator("network")
    @classmethod
    def _place(cls, name: str) -> str:
        return absolute(name)


def _family(value: Any) -> str | None:
    """The tag of a network's spec."""
    name = value.get("network") if isinstance(value, dict) else getattr(value, "network", None)
    return None if name is None else OWN if is_own(str(name)) else str(name)


@dataclass(frozen=True)
class Family:
    """A row: what both sides are specified by, and where their modules are made. discriminator None: it is a generator
    alone, which plays with the discriminators of other families."""

    generator: type[Strict]
    discriminator: type[Strict] | None
    made: str  # the module of games/networks that has a Generator and a Discriminator
    pixels: bool  # whether it wants data with a resolution
    half: bool  # whether bfloat16 is worth it on a GPU
    game: str = "adversarial"  # whose networks they are
    styles: bool = False  # whether its latents become styles, which can be mixed, truncated and penalised


FAMILIES: dict[str, Family] = {
    "mlp": Family(MlpSpec, MlpDiscriminatorSpec, "pipeline.games.networks.mlp", pixels=False, half=False),
    "dcgan": Family(DcganSpec, DcganDiscriminatorSpec, "pipeline.games.networks.dcgan", pixels=True, half=True),
    "resnet": Family(ResnetSpec, ResnetDiscriminatorSpec, "pipeline.games.networks.resnet", pixels=True, half=True),
    "r3gan": Family(R3ganSpec, R3ganDiscriminatorSpec, "pipeline.games.networks.r3gan", pixels=True, half=True),
    "sndcgan": Family(SndcganSpec, SndcganDiscriminatorSpec, "pipeline.games.networks.sndcgan", pixels=True, half=True),
    "infogan": Family(InfoganSpec, InfoganDiscriminatorSpec, "pipeline.games.networks.infogan", pixels=True, half=True),
    "progressive": Family(
        *(ProgressiveSpec, ProgressiveDiscriminatorSpec, "pipeline.games.networks.progressive"), pixels=True, half=True
    ),
    "stylegan2": Family(
        *(Stylegan2Spec, Stylegan2DiscriminatorSpec, "pipeline.games.networks.stylegan2"),
        pixels=True,
        half=True,
        styles=True,
    ),
    "cyclegan": Family(
        *(TranslatorSpec, PatchSpec, "pipeline.games.networks.translators"), pixels=True, half=True, game="translation"
    ),
    "unet": Family(UnetSpec, None, "pipeline.games.networks.unet", pixels=True, half=True, game="translation"),
    "srresnet": Family(
        *(SrresnetSpec, None, "pipeline.games.networks.srresnet"), pixels=True, half=True, game="super_resolution"
    ),
}
JUDGED_AS = {"super_resolution": "adversarial"}  # the games whose discriminators are those of another one

if TYPE_CHECKING:
    GeneratorSpec = (
        MlpSpec
        | DcganSpec
        | ResnetSpec
        | R3ganSpec
        | SndcganSpec
        | InfoganSpec
        | ProgressiveSpec
        | Stylegan2Spec
        | TranslatorSpec
        | UnetSpec
        | SrresnetSpec
        | OwnNetworkSpec
    )
    DiscriminatorSpec = (
        MlpDiscriminatorSpec
        | DcganDiscriminatorSpec
        | ResnetDiscriminatorSpec
        | R3ganDiscriminatorSpec
        | SndcganDiscriminatorSpec
        | InfoganDiscriminatorSpec
        | ProgressiveDiscriminatorSpec
        | Stylegan2DiscriminatorSpec
        | PatchSpec
        | OwnNetworkSpec
    )
else:
    _generators = tuple(Annotated[each.generator, Tag(name)] for name, each in FAMILIES.items())
    _discriminators = tuple(
        Annotated[each.discriminator, Tag(name)] for name, each in FAMILIES.items() if each.discriminator
    )
    _own = Annotated[OwnNetworkSpec, Tag(OWN)]
    GeneratorSpec = Annotated[Union[*_generators, _own], Discriminator(_family)]
    DiscriminatorSpec = Annotated[Union[*_discriminators, _own], Discriminator(_family)]


def check_network(side: str, network: Any, kind: str, resolution: int | None) -> None:
    """ValueError where `network` cannot be built for this kind of data at this resolution."""
    family = FAMILIES.get(network.network)
    if family is None:  # the user's own
        return
    if family.pixels and not KINDS[kind].pixels:
        others = ", ".join(name for name, each in FAMILIES.items() if not each.pixels)
        raise ValueError(
            f"{side}.network: found {network.network}; {KINDS[kind].words} have no pixels, valid: {others}"
        )
    if check := getattr(network, "check", None):
        check(side, resolution)


def check_played(side: str, network: Any, game: str) -> None:
    """ValueError where `network` is of another game: one that has no networks of its own plays with those of the
    adversarial game. One of your own is played with any, but for a generator, which is fed latents."""
    game = game if any(each.game == game for each in FAMILIES.values()) else "adversarial"
    family, own = FAMILIES.get(network.network), side == "generator" and game != "adversarial"
    of = JUDGED_AS.get(game, game) if side == "discriminator" else game
    if (family is None and own) or (family is not None and family.game != of):
        rows = {name: each for name, each in FAMILIES.items() if each.game == of}
        others = ", ".join(name for name, each in rows.items() if side == "generator" or each.discriminator)
        raise ValueError(f"{side}.network: found {network.network} with game.name {game}; valid: {others}")


def check_styles(network: Any, path_length: Any, batch_size: int) -> None:
    """ValueError where the paths of a generator that has no styles are to be penalised, or of too few samples."""
    if path_length is None:
        return
    if network.network not in FAMILIES or not FAMILIES[network.network].styles:
        others = ", ".join(name for name, each in FAMILIES.items() if each.styles)
        raise ValueError(
            f"regularisers.path_length: found it with generator.network {network.network}, which has no styles; "
            f"valid: with {others}"
        )
    if path_length.shrink > batch_size:
        raise ValueError(
            f"regularisers.path_length.shrink: found {path_length.shrink}; valid: at most batch_size ({batch_size})"
        )


def check_groups(network: Any, scores: int, of: str) -> None:
    """ValueError where so many scores, of a batch or a microbatch, cannot be put into the groups of a discriminator's
    stddev."""
    if network.minibatch == "stddev" and group_size(scores, network.group) == 1:
        sizes = " or ".join(map(str, range(2, network.group + 1)))
        raise ValueError(
            f"discriminator.minibatch: found stddev with {scores} scores a batch ({of} / game.packing), which "
            f"are in no groups; valid: a number that {sizes} divides"
        )

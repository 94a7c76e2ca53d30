"""What the network families share: norms, activations, initialisations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of leaky_relu, as in Radford et al. 2016

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(SLOPE),
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
}


def activation(name: str | None, side: str) -> nn.Module:
    """None: relu for the generator, leaky_relu for the discriminator (Radford et al. 2016)."""
    return ACTIVATIONS[name or ("relu" if side == "generator" else "leaky_relu")]()


def norm_2d(name: str, channels: int) -> list[nn.Module]:
    """The norm after a convolution; spectral is a wrapper of the convolution itself, not a layer."""
    if name == "batch":
        return [nn.BatchNorm2d(channels)]
    if name == "instance":
        return [nn.InstanceNorm2d(channels, affine=True)]
    if name == "layer":
        return [nn.GroupNorm(1, channels)]
    return []


def norm_1d(name: str, width: int) -> list[nn.Module]:
    if name == "batch":
        return [nn.BatchNorm1d(width)]
    if name == "layer":
        return [nn.LayerNorm(width)]
    return []


def initialise(network: nn.Module, name: str, randomness: torch.Generator) -> None:
    """Weights of linear and convolutional layers by `name`, biases 0. normal: N(0, 0.02) (Radford et al. 2016)."""
    for layer in network.modules():
        if not isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            continue
        if name == "normal":
            nn.init.normal_(layer.weight, 0.0, 0.02, generator=randomness)
        elif name == "xavier":
            nn.init.xavier_uniform_(layer.weight, generator=randomness)
        elif name == "orthogonal":
            nn.init.orthogonal_(layer.weight, generator=randomness)
        else:
            nn.init.kaiming_normal_(layer.weight, a=SLOPE, generator=randomness)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def wrap_spectral(network: nn.Module) -> None:
    """Spectral norm (Miyato et al. 2018) on every linear and convolutional layer; after initialise()."""
    for layer in list(network.modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            spectral_norm(layer)

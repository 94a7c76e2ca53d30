"""The network families; a new one is a file here and a row of schema/networks.FAMILIES."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pipeline.games.game import Facts
from pipeline.games.networks.layers import initialise, wrap_spectral
from pipeline.games.networks.own import own_network
from pipeline.schema.kinds import KINDS
from pipeline.schema.networks import FAMILIES, DiscriminatorSpec, GeneratorSpec, OwnNetworkSpec
from pipeline.schema.rows import at


def build_generator(spec: GeneratorSpec, latent_size: int, data: Facts, seed: int, classes: int = 0) -> nn.Module:
    """(batch, latent size + classes) -> (batch, *shape) of the data, on the CPU, initialised from `seed` alone.

    classes: of a condition, one-hot after the latent; 0 without one.
    """
    if isinstance(spec, OwnNetworkSpec):
        return own_network("generator", spec, (latent_size, classes, data.shape), seed)
    arguments = spec, latent_size, classes, data.shape, KINDS[data.kind].bounded
    return _finish(at(f"{FAMILIES[spec.network].made}:Generator"), arguments, seed)


def build_discriminator(
    spec: DiscriminatorSpec, shape: tuple[int, ...], seed: int, kind: str | None = None, classes: int = 0
) -> nn.Module:
    """(batch, *shape), condition, randomness -> scores (batch,), on the CPU, initialised from `seed` alone.

    kind, classes: of the condition, where there is one; an auxiliary classifier's logits come beside the scores.
    """
    if isinstance(spec, OwnNetworkSpec):
        return own_network("discriminator", spec, (shape, kind, classes), seed)
    return _finish(at(f"{FAMILIES[spec.network].made}:Discriminator"), (spec, shape, kind, classes), seed)


def _finish(family: Any, arguments: tuple[Any, ...], seed: int) -> nn.Module:
    spec = arguments[0]
    with torch.random.fork_rng(devices=[]):  # spectral norm draws its first vectors from the global generator
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed CUDA's generators too
        network: nn.Module = family(*arguments)
        initialise(network, spec.init, torch.Generator().manual_seed(seed))
        if spec.norm == "spectral":
            wrap_spectral(network)
    return network

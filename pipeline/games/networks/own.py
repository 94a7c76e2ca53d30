"""A network of the user's own, "file.py:object": built like those that are there, and looked at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from pipeline import plugin
from pipeline.errors import InputError, one_line
from pipeline.schema.layers import stages
from pipeline.schema.networks import OwnNetworkSpec

LOOK = 2  # samples


def own_network(side: str, spec: OwnNetworkSpec, arguments: tuple[Any, ...], seed: int) -> nn.Module:
    """The module that the object gives for these arguments and the spec's options, its weights drawn from `seed`.

    A generator is given (latent size, classes, shape) and makes of (batch, latent size + classes) samples
    (batch, *shape), images in [-1, 1]. A discriminator is given (shape, condition's kind or None, classes) and makes
    of samples, the condition (batch, classes) or None, and randomness scores (batch,), or, of an auxiliary classifier,
    the pair of them and logits (batch, classes). One with blocks() can be frozen from below. One with `grows = True`
    is given a level behind all that, see games/growing.Growth; how many there are is schema/layers.stages(resolution).
    Raises InputError for one that cannot be built or gives something else.
    """
    where = f'{side}.network: "{spec.network}"'
    made = plugin.resolve(spec.network)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            network = made(*arguments, **spec.options)
        except Exception as error:
            raise InputError(f"{where} cannot be built: {one_line(error, -1)}") from error
        if not isinstance(network, nn.Module):
            raise InputError(f"{where} gives a {type(network).__name__}; valid: a torch.nn.Module")
        if next(network.parameters(), None) is None:
            raise InputError(f"{where} has no parameters; valid: a module that can be trained")
        _look(where, network, side, arguments)
    return network


@torch.no_grad()
def _look(where: str, network: nn.Module, side: str, arguments: tuple[Any, ...]) -> None:
    """One pass of two samples, in evaluation mode so that no buffer changes."""
    trained, shape = network.training, arguments[2] if side == "generator" else arguments[0]
    told = (float(stages(shape[-1])),) if getattr(network, "grows", False) else ()
    network.eval()
    try:
        if side == "generator":
            latent_size, classes, shape = arguments
            output, valid = network(torch.randn(LOOK, latent_size + classes), *told), [(LOOK, *shape)]
        else:
            shape, kind, classes = arguments
            condition = torch.eye(classes)[torch.arange(LOOK) % classes] if classes else None
            output = network(torch.randn(LOOK, *shape), condition, torch.Generator().manual_seed(0), *told)
            valid = [(LOOK,), (LOOK, classes)] if kind == "auxiliary_classifier" else [(LOOK,)]
    except Exception as error:
        raise InputError(f"{where}: forward() failed: {one_line(error, -1)}") from error
    finally:
        network.train(trained)
    several = list(output) if isinstance(output, tuple) else [output]
    if [tuple(part.shape) if isinstance(part, Tensor) else None for part in several] != valid:
        shown = ", ".join(shape_of(part) for part in several)
        raise InputError(
            f"{where}: forward() returned {shown}; valid: a tensor of {' and one of '.join(map(str, valid))}"
        )


def shape_of(value: Any) -> str:
    """What a part of the user's own gave, for a line that says it is wrong."""
    return f"a tensor of {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"

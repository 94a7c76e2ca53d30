"""A checkpoint's generator as a program that torch alone runs: no class of this package is needed to load it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.data.columns import own_units
from pipeline.errors import InputError
from pipeline.games.adversarial import AdversarialGame
from pipeline.games.game import Game
from pipeline.sampling.gansweep_generator import FACTS, PROGRAM
from pipeline.sampling.trained import trained
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive

EXAMPLES = 4

Inputs = dict[str, np.ndarray[Any, Any]]


def export(checkpoint: Path, folder: Path, *, trust: bool = False, home: Path | None = None) -> Inputs:
    """Writes program and facts of the checkpoint's averaged generator into `folder`; a few inputs as an example.
    trust, home: as trained() has them.

    Raises DamagedCheckpoint, and whatever torch does for a game of the user's own that cannot be exported.
    """
    found = trained(checkpoint, trust=trust, home=home)
    spec, game, shape = found.spec, found.game, found.shape
    game.generator.requires_grad_(False)
    classes = len(game.classes) if isinstance(game, AdversarialGame) else 0
    inputs = _example(game, spec, classes)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(
            _Sampling(game, found.centre, found.scale).eval(),
            tuple(inputs.values()),
            dynamic_shapes=tuple({0: batch} for _ in inputs),
        )
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # has the paths of this machine's files
    folder.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, folder / PROGRAM)
    facts = {
        "software": "gansweep",
        "synthetic": True,
        "kind": "image" if len(shape) == 3 else "points",
        "shape": list(shape),
        "latent": list(inputs["latent"].shape[1:]),
        "distribution": spec.latent.distribution,
        "classes": classes,
        "class_names": list(found.class_names) if classes else [],
        "images": found.images,
        "dtype": "float32" if found.scale is None else "float64",
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return {name: tensor.numpy() for name, tensor in inputs.items()}


def _example(game: Game, spec: TrialSpec, classes: int) -> dict[str, Tensor]:
    """A batch of inputs: latents, and of a conditional game the classes beside them."""
    inputs = game.inputs(EXAMPLES, torch.Generator().manual_seed(derive(0, "example")))
    if not isinstance(inputs, Tensor):
        raise InputError(f"{spec.game.name}: its inputs are {type(inputs).__name__}; only a tensor can be exported")
    if not classes:
        return {"latent": inputs}
    return {"latent": inputs[:, : spec.latent.size].contiguous(), "label": torch.arange(EXAMPLES) % classes}


class _Sampling(nn.Module):
    """From latents, and classes where there are some, to samples; a table's in its own units."""

    centre: Tensor | None
    scale: Tensor | None

    def __init__(self, game: Game, centre: Tensor | None, scale: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)
        self.generator = game.generator
        self._game = game

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        inputs = latent if label is None else self._game.inputs_of(latent, label)  # type: ignore[attr-defined]
        return own_units(self._game.sample(self.generator, inputs).float(), self.centre, self.scale)

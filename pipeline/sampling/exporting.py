"""A checkpoint's generator as a program that torch alone runs: no class of this package is needed to load it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.data.batches import LABEL
from pipeline.data.columns import own_units
from pipeline.data.trees import Tree, named, shown
from pipeline.errors import InputError
from pipeline.games.game import LATENT, SAMPLES, Draw, Game
from pipeline.sampling.gansweep_generator import FACTS, PROGRAM
from pipeline.sampling.trained import Trained, trained
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive

EXAMPLES = 4

Inputs = dict[str, np.ndarray[Any, Any]]


def export(checkpoint: Path, folder: Path, *, trust: bool = False, home: Path | None = None) -> Inputs:
    """Writes program and facts of the checkpoint's averaged generator into `folder`; a few inputs as an example.
    trust, home: as trained() has them.

    Raises DamagedCheckpoint, and whatever torch does for a game of the user's own that cannot be exported.
    """
    loaded = trained(checkpoint, trust=trust, home=home)
    spec, game, shape = loaded.spec, loaded.game, loaded.shape
    game.generator.requires_grad_(False)
    classes = len(game.classes)
    inputs = _example(game, spec)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        program = torch.export.export(
            _Sampling(loaded).eval(),
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
        "kind": loaded.kind,
        "shape": list(shape),
        "latent": list(inputs["latent"].shape[1:]),
        "distribution": spec.latent.distribution,
        "classes": classes,
        "class_names": list(loaded.class_names) if classes else [],
        "images": loaded.images,
        "dtype": "float32" if loaded.scale is None else "float64",
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return {name: tensor.numpy() for name, tensor in inputs.items()}


def _example(game: Game, spec: TrialSpec) -> dict[str, Tensor]:
    """A batch of inputs by name, a tensor alone as latents: of a conditional game one of each class in turn."""
    if SAMPLES not in game.references or spec.game.made_from_images:
        makes = ", ".join(game.references)
        raise InputError(f"{spec.game.name}: makes {makes}; only samples of latents and labels can be exported")
    batch = {LABEL: torch.arange(EXAMPLES) % len(game.classes)} if game.classes else {}
    inputs = game.inputs(EXAMPLES, torch.Generator().manual_seed(derive(0, "example")), batch)
    named_inputs = named(inputs, LATENT)
    if not named_inputs.keys() <= {LATENT, LABEL}:
        raise InputError(f"{spec.game.name}: its inputs are {shown(inputs)}; only latents and labels can be exported")
    return named_inputs


class _Sampling(nn.Module):
    """From latents, and classes where there are some, to samples; a table's in its own units."""

    centre: Tensor | None
    scale: Tensor | None

    def __init__(self, loaded: Trained) -> None:
        super().__init__()
        self.register_buffer("centre", loaded.centre)
        self.register_buffer("scale", loaded.scale)
        self.generator = loaded.game.generator
        self._game = loaded.game
        batch = {LABEL: torch.zeros(1, dtype=torch.int64)} if loaded.game.classes else {}
        self._alone = isinstance(loaded.game.inputs(1, torch.Generator(), batch), Tensor)
        self._draw = Draw(torch.Generator().manual_seed(0), loaded.progress)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        fed: Tree = {LATENT: latent} if label is None else {LATENT: latent, LABEL: label}
        fed = latent if self._alone else fed
        samples = named(self._game.sample(self.generator, fed, self._draw), SAMPLES)
        return own_units(samples[SAMPLES].float(), self.centre, self.scale)

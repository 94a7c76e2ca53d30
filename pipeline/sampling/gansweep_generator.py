"""A generator out of its checkpoint: what `mlflow.pyfunc.load_model` loads. It goes into the model as it is, and so
imports nothing of this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

PROGRAM, FACTS = "generator.pt2", "generator.json"
CHUNK = 512  # samples at a time


class Generator:
    """predict() takes the latents (n, size), float32, and gives samples (n, ...): float32 images in [-1, 1], or points
    in their own units (rows of a table float64). Of a conditional game it takes {"latent": (n, size), "label": (n,)},
    a class each."""

    def __init__(self, folder: Path) -> None:
        self.facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._program = torch.export.load(folder / PROGRAM).module()

    def predict(self, model_input: Any) -> np.ndarray[Any, Any]:
        named = model_input if isinstance(model_input, dict) else {"latent": model_input}
        inputs = [torch.from_numpy(np.array(named["latent"], dtype=np.float32))]
        if self.facts["classes"]:
            labels = torch.from_numpy(np.array(named["label"], dtype=np.int64).reshape(-1))
            if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < self.facts["classes"]:
                raise ValueError(f"label: valid: 0 to {self.facts['classes'] - 1}")
            inputs.append(labels)
        if not len(inputs[0]):
            return np.zeros((0, *self.facts["shape"]), self.facts.get("dtype", "float32"))
        with torch.inference_mode():
            chunks = [self._program(*part) for part in zip(*(each.split(CHUNK) for each in inputs), strict=True)]
        samples: np.ndarray[Any, Any] = torch.cat(chunks).numpy()
        return samples


def _load_pyfunc(path: str) -> Generator:
    """What MLflow calls."""
    return Generator(Path(path))

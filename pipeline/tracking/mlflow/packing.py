"""A checkpoint as an MLflow model on the disk, made in a process of its own: this one may have no torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

from pipeline.children import python
from pipeline.errors import GansweepError
from pipeline.tracking.mlflow.credentials import without

PATIENCE = 300.0  # seconds
METADATA = {
    "software": "gansweep",
    "synthetic": True,
    # IPTC's word for what such a model makes
    "digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
}


def packed(checkpoint: Path, folder: Path) -> Path:
    """`folder`, which holds the model of the checkpoint; made where it is missing, there whole or not at all.

    Raises GansweepError where it cannot be made.
    """
    if (folder / "MLmodel").exists():
        return folder
    root = str(Path(__file__).resolve().parents[3])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = python("-m", "pipeline.tracking.mlflow.packing", str(checkpoint), str(folder))
    environment = {**without(), "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise GansweepError(f"{checkpoint.name} was not exported within {PATIENCE:.0f} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"code {done.returncode}"]
        raise GansweepError(f"{checkpoint.name} cannot be exported: {said[-1][:300]}")
    return folder


def pack(checkpoint: Path, folder: Path) -> None:
    """The work of that process: program, signature, input example, and what an environment needs to load it."""
    import mlflow.pyfunc

    from pipeline.sampling import gansweep_generator
    from pipeline.sampling.exporting import export
    from pipeline.sampling.trust import recorded

    scratch, part = folder.with_name(f".{folder.name}"), folder.with_name(f".{folder.name}.part")
    for each in (scratch, part):
        shutil.rmtree(each, ignore_errors=True)
    data = scratch / "generator"
    home = folder.absolute().parents[2]  # of the sweep whose model it is: it ran this code, which older records lack
    example = export(checkpoint, data, trust=not recorded(checkpoint), home=home)
    generator = gansweep_generator.Generator(data)
    taken: Any = example if len(example) > 1 else example["latent"]
    mlflow.pyfunc.save_model(
        part,
        loader_module="gansweep_generator",
        data_path=str(data),
        code_paths=[str(Path(gansweep_generator.__file__))],
        signature=_signature(example, generator.predict(taken)),
        input_example=taken,
        pip_requirements=[f"{name}=={Version(version(name)).public}" for name in ("mlflow", "numpy", "torch")],
        metadata={**METADATA, **generator.facts},
    )
    shutil.rmtree(scratch)
    for cache in part.rglob("__pycache__"):
        shutil.rmtree(cache)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _signature(example: dict[str, Any], samples: Any) -> Any:
    """Of tensors with any number of rows; a single input has no name, so that an array can be given as it is."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def tensor(array: Any, name: str | None = None) -> Any:
        return TensorSpec(array.dtype, (-1, *array.shape[1:]), name)

    inputs = [tensor(array, name if len(example) > 1 else None) for name, array in example.items()]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema([tensor(samples)]))


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))

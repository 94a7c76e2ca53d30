"""A folder of images enlarged by a checkpoint of super-resolution: generate CHECKPOINT --enlarge FOLDER."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from pipeline.data import folder
from pipeline.data.batches import to_float
from pipeline.errors import InputError
from pipeline.sampling.trained import opened, own_code
from pipeline.sampling.translating import elsewhere, of_channels, written
from pipeline.schema.game import SuperResolutionSpec
from pipeline.schema.trial import SMALL
from pipeline.training.step import evaluating

LARGEST = 2**22  # pixels of an enlarged image: a layer of 64 channels takes 1 GiB


def enlarge(path: Path, source: Path, out: Path, *, trust: bool = False) -> str:
    """Writes each image of `source`, of whatever size, enlarged by the averaged generator of a checkpoint or of the
    best one of a run's folder, into the folder `out` under its own name, as a PNG that says that it is synthetic; says
    what it wrote. trust: code that the checkpoint names may be run."""
    file, trained = opened(path, trust)
    if not isinstance(trained.spec.game, SuperResolutionSpec):
        raise InputError(f"--enlarge: {file} is of the game {trained.spec.game.name}; valid: one of super_resolution")
    assert trained.spec.data.low is not None  # the spec sees to it
    factor = trained.spec.data.low.factor
    elsewhere(source, out)
    images, files = folder.read_each(source.expanduser())
    for image, name in zip(images, files, strict=True):
        _check_size(source / name, image, factor)
    given = [of_channels(image[None], trained, f"--enlarge: {source}") for image in images]
    with own_code(file, trained.spec), evaluating(trained.game.generator), torch.inference_mode():
        made = [trained.game.generator(to_float(each))[0] for each in given]
    written(made, files, out, file)
    return f"{len(made):,} images of {source} enlarged {factor} times by {file.name} in {out}"


def _check_size(file: Path, image: Tensor, factor: int) -> None:
    height, width = image.shape[1:]
    if min(height, width) < SMALL:
        raise InputError(f"--enlarge: {file} is {width} x {height}; valid: {SMALL} pixels or more a side")
    if factor**2 * height * width > LARGEST:
        raise InputError(
            f"--enlarge: {file} is {width} x {height}, {factor} times that are {factor**2 * height * width:,} pixels; "
            f"valid: at most {LARGEST:,}"
        )

"""A folder of images in the style of another domain: generate CHECKPOINT --translate FOLDER --to DOMAIN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipeline.data import folder
from pipeline.data.batches import to_float
from pipeline.errors import InputError
from pipeline.games.translation import OTHER, to
from pipeline.metrics.samples import save_image
from pipeline.sampling.trained import Trained, opened, own_code
from pipeline.schema.game import TranslationSpec
from pipeline.seeds import derive
from pipeline.training.step import evaluating

AT_A_TIME = 64


@dataclass(frozen=True)
class Translation:
    """What is asked for: the images of the folder `source` in the domain `target`, put into the folder `out`. seed: of
    the noise of a network that has some."""

    source: Path
    target: str | None
    out: Path
    seed: int = 0


def translate(path: Path, asked: Translation, trust: bool = False) -> str:
    """Writes each image translated by the averaged generator of a checkpoint or of the best one of a run's folder,
    under its own name, as a PNG that says that it is synthetic; says what it wrote. Images are brought to the
    resolution as for the training. trust: code that the checkpoint names may be run."""
    source, target, out = asked.source, asked.target, asked.out
    file, trained = opened(path, trust)
    game = trained.game
    if not isinstance(trained.spec.game, TranslationSpec):
        raise InputError(f"--translate: {file} is of the game {trained.spec.game.name}; valid: one of translation")
    domains = list(game.references.values())
    if target not in domains:
        said = f"found {target}" if target else "missing"
        raise InputError(f"--to: {said}; valid of this checkpoint: {', '.join(domains)}")
    elsewhere(source, out)
    read = folder.read(source.expanduser(), trained.shape[-1])
    images = of_channels(read.images, trained, f"--translate: {source}")
    randomness = torch.Generator().manual_seed(derive(asked.seed, "generate"))
    with own_code(file, trained.spec), evaluating(game.generator), torch.inference_mode():
        parts = [game.generator(to(target), to_float(chunk), randomness) for chunk in images.split(AT_A_TIME)]
    made = list(torch.cat(parts))
    written(made, read.files, out, file)
    return f"{len(made):,} images of {source} from {OTHER[target]} to {target} by {file.name} in {out}"


def elsewhere(source: Path, out: Path) -> None:
    """InputError where the images would be written among those that they are made of."""
    if source.resolve() == out.resolve():
        raise InputError(f"--out: found {out}, the folder that is read; valid: another one")


def written(made: Sequence[Tensor], files: tuple[Path, ...], out: Path, checkpoint: Path) -> None:
    """Each image (C, H, W) in the folder `out` under the name of the file that it was made of; none of them where one
    is not finite."""
    broken = sum(not bool(each.isfinite().all()) for each in made)
    if broken:
        raise InputError(f"{checkpoint}: {broken:,} of {len(made):,} images have values that are not finite")
    try:
        for name, each in zip(_names(files), made, strict=True):
            save_image(each, out / name)
    except OSError as error:
        raise InputError(f"--out: {out} cannot be written ({error.strerror or error})") from None


def of_channels(images: Tensor, trained: Trained, where: str) -> Tensor:
    """Grey images in three equal channels where the training's are in colour."""
    channels = trained.shape[0]
    if images.shape[1] > channels:
        raise InputError(f"{where} has images in colour, and the checkpoint's are grey; valid: grey ones")
    return images.expand(-1, channels, -1, -1)


def _names(files: tuple[Path, ...]) -> list[Path]:
    """Each with the ending .png in place of its own, or behind it where two would be one."""
    short = [file.with_suffix(".png") for file in files]
    times = Counter(short)
    return [
        name if times[name] == 1 else file.with_name(f"{file.name}.png")
        for file, name in zip(files, short, strict=True)
    ]

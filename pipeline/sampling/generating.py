"""Samples from a checkpoint: of a class, truncated, along a way through the latent space; the verb generate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.data.batches import LABEL
from pipeline.data.cache import replaced
from pipeline.data.said import listed
from pipeline.data.trees import Tree, named, rows
from pipeline.errors import InputError
from pipeline.games import latent
from pipeline.games.game import LATENT, SAMPLES, Game
from pipeline.games.networks.stylegan2 import Generator as Styled
from pipeline.metrics.samples import MARKS, plotted, save_grid
from pipeline.sampling.exploring import Picture, explored
from pipeline.sampling.trained import Trained, opened, own_code
from pipeline.sampling.wanted import Wanted
from pipeline.schema.game import TRANSLATION
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive
from pipeline.training.making import condition_like, labels_like, sampled

COUNT, OF_A_CLASS = 64, 8  # samples where none are named
VALUES = 2**30  # at a time: 4 GiB
PIXELS = 2**26  # of a picture; readers refuse larger ones as bombs
VALID = 20  # names of classes in a refusal; --class list has all


@dataclass(frozen=True)
class Class:
    """samples: that it was trained on."""

    number: int
    name: str
    samples: int


def generate(path: Path, wanted: Wanted, seed: int, out: Path, *, trust: bool = False) -> str:
    """Samples from the averaged generator of a checkpoint, or of the best one of a run's folder; says what it wrote.
    Both kinds of file say that what is in them is synthetic. The arrays of a table are in its own units. trust: code
    that the checkpoint names may be run."""
    if wanted.explore is not None and out.suffix != ".png":
        raise InputError(f"--out: found {out.name} with --explore; valid: a name that ends in .png")
    if out.suffix not in (".png", ".npz"):
        raise InputError(f"--out: found {out.name}; valid: a name that ends in .png (a picture) or .npz (arrays)")
    file, trained = opened(path, trust)
    game, spec = trained.game, trained.spec
    if spec.game.made_from_images:
        raise InputError(
            f"{file}: its game {spec.game.name} makes {', '.join(game.references)} of images; valid: "
            f"{'--translate FOLDER --to b' if spec.game.name == TRANSLATION else '--enlarge FOLDER'}"
        )
    classes = _classes(game, trained.class_names, wanted.label)
    if wanted.label == "list":
        return "\n".join(f"{each.name}  ({each.samples:,} training samples)" for each in classes)
    randomness = torch.Generator().manual_seed(derive(seed, "generate"))
    _check_count(trained, wanted, len(classes))
    if wanted.truncation is not None:
        _check_truncation(trained, wanted.truncation)
    if wanted.explore is None and wanted.strength is not None:
        raise InputError(f"--strength: found {wanted.strength}; valid: with --explore directions")
    inputs: Tree = {}
    with own_code(file, spec):
        if wanted.explore is not None:
            picture = _explored(trained, wanted, classes, randomness)
        else:
            inputs, columns = _inputs(game, spec, _untruncated(trained, wanted), classes, randomness)
            _check_picture(trained.shape, rows(inputs), columns, out)
            beside = wanted.label == "all" and bool(trained.class_names)
            names = tuple(each.name for each in classes if each.samples) if beside else ()
            samples = sampled(game, game.generator, inputs, spec, trained.progress)[SAMPLES]
            picture = Picture(samples, columns, names)
    samples = picture.samples
    broken = int((~samples.flatten(1).isfinite()).any(1).sum())
    if broken:
        raise InputError(f"{file}: {broken:,} of {len(samples):,} samples have values that are not finite")
    arrays: dict[str, Any] = {
        "samples": trained.own_units(samples).numpy(),
        "software": MARKS["Software"],
        "synthetic": MARKS["Synthetic"],
    }
    if game.classes and wanted.explore is None:
        arrays["labels"] = named(inputs, LATENT)[LABEL].numpy()
        if trained.class_names:
            arrays["class_names"] = np.array(trained.class_names)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".npz":
            with replaced(out) as temporary:
                np.savez_compressed(temporary, **arrays)
        else:
            shown = plotted(samples, trained.centre, trained.scale)
            save_grid(shown, out, columns=picture.columns, rows=picture.rows)
    except OSError as error:
        raise InputError(f"--out: {out} cannot be written ({error.strerror or error})") from None
    return f"{len(samples)} samples of {file.name} ({trained.images:,} images) in {out}"


def _check_count(trained: Trained, wanted: Wanted, classes: int) -> None:
    """Before anything is drawn, which is what would fill the memory first."""
    most = VALUES // (trained.spec.latent.size + len(trained.game.classes) + math.prod(trained.shape))
    option, count = "-n", wanted.count
    if count is None and wanted.label == "all":
        option, count = "--columns", (wanted.columns or 0) * classes
    if count is not None and count > most:
        shown = f"{count:,}" if option == "-n" else f"{wanted.columns:,} for each of {classes} classes"
        raise InputError(
            f"{option}: found {shown}; valid: at most {most:,} samples at a time, others with another --seed"
        )


def _check_truncation(trained: Trained, truncation: float) -> None:
    if isinstance(trained.game.generator, Styled):
        if not 0 <= truncation < math.inf:
            raise InputError(
                f"--truncation: found {truncation}; valid: 0 or more, a share of the way from the mean style"
            )
        return
    if trained.spec.latent.distribution != "gaussian":
        raise InputError(f"--truncation: found {truncation} with uniform latents; valid: with gaussian ones")
    if not truncation > 0:
        raise InputError(f"--truncation: found {truncation}; valid: above 0, in standard deviations")


def _untruncated(trained: Trained, wanted: Wanted) -> Wanted:
    """What is asked of the latents: of a generator with styles those are truncated, and latents are as they are."""
    generator = trained.game.generator
    if not isinstance(generator, Styled) or wanted.truncation is None:
        return wanted
    generator.truncation = wanted.truncation
    return replace(wanted, truncation=None)


def _explored(trained: Trained, wanted: Wanted, known: list[Class], randomness: torch.Generator) -> Picture:
    if wanted.label == "all":
        raise InputError("--class: found all with --explore; valid: one class")
    label = None if wanted.label is None else _label(known, wanted.label)
    return explored(trained, wanted, label, randomness)


def _check_picture(shape: tuple[int, ...], count: int, columns: int, out: Path) -> None:
    if out.suffix != ".png" or len(shape) != 3:
        return
    width, height = columns * (shape[2] + 2), -(-count // columns) * (shape[1] + 2)
    if width * height > PIXELS:
        raise InputError(
            f"-n: found {count:,} in {columns:,} columns, a picture of {width:,} x {height:,} pixels; valid: one of at "
            f"most {PIXELS:,}, or a name that ends in .npz"
        )


def _inputs(
    game: Game, spec: TrialSpec, wanted: Wanted, known: list[Class], randomness: torch.Generator
) -> tuple[Tree, int]:
    """What the generator is fed, and the columns of the picture."""
    count = wanted.count or COUNT
    columns = wanted.columns or max(1, round(count**0.5))
    if wanted.label is None and wanted.truncation is None and wanted.path is None:
        return game.inputs(count, randomness, condition_like(game, spec, count, randomness)), columns
    if wanted.label == "all":
        if wanted.path is not None:
            raise InputError("--class: found all with --interpolate; valid: one class")
        trained_on = torch.tensor([each.number for each in known if each.samples])
        classes = len(trained_on)
        count = wanted.count or classes * (wanted.columns or OF_A_CLASS)
        columns = wanted.columns or max(1, count // classes)
        if count != classes * columns:
            valid = f"a multiple of the {classes} classes" if wanted.columns is None else str(classes * columns)
            raise InputError(f"-n: found {count} with --class all; valid: {valid}")
        z = _latents(spec, columns, wanted.truncation, randomness).repeat(classes, 1)
        return _fed(game, spec, z, trained_on.repeat_interleave(columns)), columns
    ways = count
    if wanted.path is None:
        z = _latents(spec, count, wanted.truncation, randomness)
    else:
        if wanted.path not in latent.PATHS:
            raise InputError(f"--interpolate: found {wanted.path}; valid: {', '.join(latent.PATHS)}")
        if wanted.columns is None:
            columns = next(divisor for divisor in (*range(columns, 1, -1), count) if count % divisor == 0)
        if count % columns or columns < 2:
            raise InputError(f"--columns: found {columns}; valid: 2 or more that divide -n ({count})")
        ways = count // columns
        ends = _latents(spec, 2 * ways, wanted.truncation, randomness).view(ways, 2, -1)
        z = latent.strips(ends, columns, wanted.path)
    if wanted.label is not None:
        return _fed(game, spec, z, torch.full((count,), _label(known, wanted.label))), columns
    labels = labels_like(game.classes, ways, randomness).repeat_interleave(count // ways) if game.classes else None
    return _fed(game, spec, z, labels), columns


def _fed(game: Game, spec: TrialSpec, latents: Tensor, labels: Tensor | None) -> Tree:
    """The inputs of a game with these latents and labels."""
    batch = {} if labels is None else {LABEL: labels}
    inputs = game.inputs(len(latents), torch.Generator().manual_seed(0), batch)
    if isinstance(inputs, Tensor) or LATENT not in inputs:
        raise InputError(
            f"--class, --truncation, --interpolate: found with the game {spec.game.name}, whose inputs have no {LATENT}"
        )
    return {**inputs, LATENT: latents}


def _latents(spec: TrialSpec, count: int, truncation: float | None, randomness: torch.Generator) -> Tensor:
    if truncation is None:
        return latent.draw(spec.latent, count, randomness)
    return latent.truncated(spec.latent.size, count, randomness, truncation)


def _classes(game: Game, names: tuple[str, ...], label: str | None) -> list[Class]:
    """Of the game; none where it has no condition, which is refused where a class is asked for."""
    if label is not None and not game.classes:
        raise InputError("--class: the checkpoint is of a game without a condition; leave it out")
    return [Class(at, names[at] if names else str(at), count) for at, count in enumerate(game.classes)]


def _label(known: list[Class], text: str) -> int:
    """By its name, or by its number where no name is one."""
    chosen = next((each for each in known if each.name == text), None)
    if chosen is None and not any(each.name.removeprefix("-").isdecimal() for each in known):
        chosen = next((each for each in known if str(each.number) == text), None)
    names = [each.name for each in known if each.samples]
    in_a_row = names == [str(at) for at in range(len(names))]
    valid = f"0 to {names[-1]}" if in_a_row else listed(names, VALID)
    valid += " (--class list shows them)" if len(names) > VALID and not in_a_row else ""
    if chosen is None:
        raise InputError(f"--class: found {text}; valid: {valid}, or all")
    if not chosen.samples:
        raise InputError(f"--class: found {text}, of which no training sample was; valid: {valid}, or all")
    return chosen.number

"""A folder of images: class subfolders give the labels, a flat folder gives none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
VALID = "valid: a folder of images, or of one subfolder of images a class"


def path_of(name: str) -> Path:
    """The folder in "imagefolder:PATH"."""
    return Path(name.removeprefix("imagefolder:")).expanduser().resolve()


def signature(path: Path) -> str:
    """12 hex digits that change when a file is added, removed, renamed or written."""
    digest = hashlib.sha256(str(path).encode())
    for file, _ in _files(path):
        status = file.stat()
        digest.update(f"{file.relative_to(path)} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:12]


def read(path: Path, resolution: int) -> tuple[Tensor, Tensor | None]:
    """(images uint8 (N, C, R, R), labels int64 (N,) or None); C is 1 where every image is grey, else 3.

    The short side is resized to the resolution with antialias and the centre cropped; transparency is composited
    on white. Raises InputError that names the folder without images, or the file that cannot be read.
    """
    files = _files(path)
    pictures = [_picture(file, resolution) for file, _ in files]
    grey = all(picture.mode == "L" for picture in pictures)
    stacked = np.stack([np.asarray(picture if grey else picture.convert("RGB")) for picture in pictures])
    images = torch.from_numpy(stacked)
    images = images[:, None] if grey else images.permute(0, 3, 1, 2).contiguous()
    labelled = files[0][1] is not None
    return images, torch.tensor([label for _, label in files], dtype=torch.int64) if labelled else None


def _files(path: Path) -> list[tuple[Path, int | None]]:
    """(file, label) in the order of their names. Labels only where there are two subfolders with images or more."""
    if not path.is_dir():
        raise InputError(f"{path}: {'not a folder' if path.exists() else 'there is no such folder'}; {VALID}")
    try:
        flat = _images(path)
        classes = [(folder, _images(folder)) for folder in sorted(path.iterdir()) if folder.is_dir()]
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror}); {VALID}") from None
    classes = [(folder, images) for folder, images in classes if images]
    if flat and classes:
        raise InputError(f"{path}: found both images and subfolders of images ({classes[0][0].name}); {VALID}")
    if not flat and not classes:
        raise InputError(f"{path}: found no images ({', '.join(SUFFIXES)}); {VALID}")
    if len(classes) < 2:
        return [(file, None) for file in flat or classes[0][1]]
    return [(file, label) for label, (_, images) in enumerate(classes) for file in images]


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())


def _picture(file: Path, resolution: int) -> Image.Image:
    """One file as a square picture in mode L or RGB. Transparent pixels have hidden colours: white takes their
    place before the resize, which would mix them in."""
    try:
        with Image.open(file) as opened:
            if opened.mode in ("L", "1"):
                picture = opened.convert("L")
            else:
                rgba = opened.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{file}: not a readable image ({text}); remove or replace it") from None
    scale = resolution / min(picture.size)
    size = tuple(max(resolution, round(side * scale)) for side in picture.size)
    picture = picture.resize((size[0], size[1]), Image.Resampling.BILINEAR)  # PIL's resize has antialias
    left, top = (size[0] - resolution) // 2, (size[1] - resolution) // 2
    return picture.crop((left, top, left + resolution, top + resolution))

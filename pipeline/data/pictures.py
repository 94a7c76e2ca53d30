"""One picture file as pixels, with the values that a viewer shows: turned, scaled to 8 bits, transparency on white."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps

from pipeline.errors import InputError

Pixels = np.ndarray[Any, Any]

# What Pillow opens and is not a picture of its own: programs and stubs that want another program, and films.
TRAPS = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}
OPENED_AS_OTHERS = {"MPO"}  # by the reader of JPEG
WHITE_16, WHITE_12, WHITE = 65535, 4095, 255
DARK = 0.1  # of white
RESIZED = 2**24  # pixels at most, before the centre is cropped
INTEGERS, FLOATS = "32-bit integers", "floats"  # what is scaled when all files are known


class Unreadable(Exception):
    """Its text is why, in one line."""


@dataclass
class Picture:
    """pixels: uint8 (R, R) or (R, R, 3); float32 (R, R) where `deep` says of what, from `low` to `high` in the file.
    size: (width, height) of the file. level: of a 16-bit file, its highest value as a share of white."""

    pixels: Pixels
    size: tuple[int, int]
    turned: bool = False
    several: bool = False
    level: float | None = None
    deep: str | None = None
    low: float = 0.0
    high: float = 0.0


@functools.cache
def formats() -> list[str]:
    """Those that Pillow reads here, the usual ones first."""
    Image.preinit()
    Image.init()
    return [kind for kind in Image.ID if kind in Image.OPEN and kind not in TRAPS]


@functools.cache
def endings() -> frozenset[str]:
    """Of the files that are read, in lower case and with their dot."""
    readable = {*formats(), *OPENED_AS_OTHERS}
    return frozenset(ending for ending, kind in Image.registered_extensions().items() if kind in readable)


def read(file: Path, resolution: int | None) -> Picture:
    """The short side is resized to the resolution with antialias and the centre cropped; None: as large as it is.
    Raises Unreadable."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=formats()) as opened:
            turned = _orientation(opened) > 1  # a TIFF is turned as it is loaded, and says no more that it was
            opened.load()
            turned = turned or _orientation(opened) > 1
            try:
                upright = ImageOps.exif_transpose(opened)
            except Exception:  # EXIF that cannot be read is no reason to leave a picture out; a viewer does not either
                upright = opened
            picture = _picture(upright, opened, resolution)
            with suppress(Exception):  # a torn second frame leaves the first one as it is
                picture.several = opened.format != "PSD" and bool(getattr(opened, "is_animated", False))
    except Unreadable:
        raise
    except Exception as error:  # Pillow's readers raise whatever a torn file makes of them
        text = (str(error).splitlines() or [""])[0].replace(f" {str(file)!r}", "")
        raise Unreadable(text or type(error).__name__) from None
    picture.turned = turned
    return picture


def size(file: Path) -> tuple[int, int]:
    """(width, height) as the file says them, read from its head alone. Raises InputError for what is no picture."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=formats()) as opened:
            return opened.size
    except Exception as error:  # as in read()
        raise InputError(
            f"{file}: cannot be read ({(str(error).splitlines() or [''])[0]}); remove or replace it"
        ) from None


def levelled(pictures: Sequence[Picture]) -> list[str]:
    """Brings deep pixels to 8 bits by the range of all files, in place; notes on what was done to which values."""
    notes = []
    levels = [picture.level for picture in pictures if picture.level is not None]
    if levels:
        shown = f"; none is above {max(levels):.1%} of white: as dark as a viewer shows them"
        dark = shown if max(levels) < DARK else ""
        notes.append(f"{_files(len(levels))} of 16 bits a pixel, scaled to 8{dark}")
    for kind in (INTEGERS, FLOATS):
        deep = [picture for picture in pictures if picture.deep == kind]
        if not deep:
            continue
        low, high = min(picture.low for picture in deep), max(picture.high for picture in deep)
        if low >= 0 and high <= WHITE:
            black, white = 0.0, 1.0 if kind == FLOATS and high <= 1 else float(WHITE)
            how = f"0 is black, {white:g} is white"
        else:
            black, white = low, high
            how = f"{low:g}, the lowest of all, is black, {high:g}, the highest, is white"
        for picture in deep:
            scaled = (picture.pixels - black) * (WHITE / ((white - black) or 1.0))
            picture.pixels = np.rint(scaled).clip(0, WHITE).astype(np.uint8)
        notes.append(f"{_files(len(deep))} of {kind}, {low:g} to {high:g}: {how}")
    turned, several = sum(picture.turned for picture in pictures), sum(picture.several for picture in pictures)
    if turned:
        notes.append(f"{_files(turned)} turned upright as EXIF says")
    if several:
        notes.append(f"{_files(several)} of several frames or pages: the first one is read")
    return notes


def _files(count: int) -> str:
    return f"{count:,} file{'s' if count > 1 else ''}"


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in range(2, 9) else 1
    return 1


def _picture(image: Image.Image, opened: Image.Image, resolution: int | None) -> Picture:
    """opened: the file's own, which knows its format; `image` is its copy that was turned."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep(image, opened, resolution)
    transparent = "transparency" in image.info
    grey = image.mode in ("L", "1")
    if grey and not transparent:
        picture = image.convert("L")
    else:  # transparent pixels have hidden colours: white takes their place before the resize, which would mix them in
        rgba = image.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
        picture = flat.convert("L" if grey else "RGB")
    return Picture(np.asarray(_square(picture, resolution)), image.size)


def _deep(image: Image.Image, opened: Image.Image, resolution: int | None) -> Picture:
    """Of more than 8 bits a pixel, always grey. What is 16-bit by its format is scaled at once."""
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise Unreadable("has values that are not finite")
    clear = image.info.get("transparency") if image.mode != "F" else None
    if isinstance(clear, int):
        values[values == clear] = WHITE_16
    low, high = float(values.min()), float(values.max())
    small = np.asarray(_square(Image.fromarray(values), resolution))
    if image.mode.startswith("I;16") or (image.mode == "I" and opened.format in ("PNG", "PPM")):
        white = WHITE_12 if getattr(opened, "tag_v2", {}).get(258) == (12,) else WHITE_16
        pixels = np.rint(small * (WHITE / white)).clip(0, WHITE).astype(np.uint8)
        return Picture(pixels, image.size, level=high / white)
    return Picture(small, image.size, deep=FLOATS if image.mode == "F" else INTEGERS, low=low, high=high)


def _square(picture: Image.Image, resolution: int | None) -> Image.Image:
    if resolution is None:
        _check_length(picture.size, picture.size)
        return picture
    scale = resolution / min(picture.size)
    size = tuple(max(resolution, round(side * scale)) for side in picture.size)
    _check_length(picture.size, size)
    picture = picture.resize((size[0], size[1]), Image.Resampling.BILINEAR)  # PIL's resize has antialias
    left, top = (size[0] - resolution) // 2, (size[1] - resolution) // 2
    return picture.crop((left, top, left + resolution, top + resolution))


def _check_length(before: tuple[int, int], after: tuple[int, ...]) -> None:
    """A strip of one pixel's width grows with its length times the resolution: 8,000,000 x 1 to gigabytes."""
    if after[0] * after[1] > RESIZED:
        raise Unreadable(f"{before[0]:,} x {before[1]:,} pixels are too long a strip for a square")

"""A folder of images: class subfolders give the labels, a flat folder gives none."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.data import pictures, rows
from pipeline.data.said import in_order, listed, plain
from pipeline.errors import InputError

VALID = "valid: a folder of images, or of one subfolder of images a class"
# What systems and tools leave beside pictures, in lower case; so is what begins with a dot.
TOOLS = {"__macosx", "@eadir", "#recycle", "@recycle", "@recently-snapshot", "$recycle.bin", "lost+found"} | {
    "system volume information",
    "__pycache__",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
}
# Names that parts of a data set, or its domains, have; in lower case.
PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"} | {
    f"{part}{domain}" for part in ("train", "test", "val") for domain in "ab"
}
SAID = ("class_names", "notes", "found", "origin", "left_out")  # what is told of the images
FOREIGN = (".heic", ".heif", ".jxl", ".exr", ".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".svg")
NAMED = 3  # unreadable files
PAIRS = "valid: two folders with the same names of files"
HIDDEN = "hidden"


class Images(NamedTuple):
    """images: uint8 (N, C, R, R); labels: int64 (N,) or None; files: where each is in the folder. found, origin,
    left_out: see said.Read."""

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    found: str
    origin: str
    left_out: str
    files: tuple[Path, ...]


@dataclass
class Listing:
    """The pictures of a folder in the order of their names, each with its class where there are two or more."""

    files: list[tuple[Path, int | None]] = field(default_factory=list)
    class_names: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def path_of(name: str) -> Path:
    """The folder in "imagefolder:PATH"."""
    return Path(name.removeprefix("imagefolder:")).expanduser().resolve()


def signature(path: Path) -> str:
    """12 hex digits that change when a file is added, removed, renamed or written. Opens none of them."""
    digest = hashlib.sha256(os.fsencode(path))
    listing = _listing(path)
    for file, _ in listing.files:
        status = file.stat()
        digest.update(os.fsencode(f"{file.relative_to(path)} {status.st_size} {status.st_mtime_ns}"))
    said = {what: count for what, count in sorted(listing.left_out.items()) if what != HIDDEN and what[-1] != "/"}
    digest.update(f"{said} {listing.notes}".encode())
    return digest.hexdigest()[:12]


def read(path: Path, resolution: int, scratch: Path | None = None) -> Images:
    """All pictures; C is 1 where every one is grey, else 3. See pictures.read for how each becomes a square.

    scratch: the folder of the file that they are put into, mapped into memory, where they do not fit (None: they do).
    Those of 32 bits a pixel stay in memory until the range of all is known. Raises InputError that names the folder
    without images, or counts the files that cannot be read.
    """
    listing = _listing(path)
    pixels = rows.room((len(listing.files), resolution, resolution, 3), scratch)
    opened, grey = list[pictures.Picture](), True
    for at, picture in enumerate(_pictures(path, listing, resolution)):
        grey = grey and picture.pixels.ndim == 2
        if picture.deep is None:
            pixels[at] = _coloured(picture.pixels)
            picture.pixels = pixels[at]
        opened.append(picture)
    notes = pictures.levelled(opened)
    for at, picture in enumerate(opened):
        if picture.deep is not None:
            pixels[at] = _coloured(picture.pixels)
    images = torch.from_numpy(pixels[..., :1] if grey else pixels).permute(0, 3, 1, 2)
    images = images if isinstance(pixels, np.memmap) else images.contiguous()
    labels = [label for _, label in listing.files if label is not None]
    rest = sum(listing.left_out.values())
    return Images(
        images,
        torch.tensor(labels, dtype=torch.int64) if labels else None,
        listing.class_names,
        (*listing.notes, *notes),
        found=f"{len(opened):,} of {len(opened) + rest:,} files" if rest else f"{len(opened):,} files",
        origin=_origin([picture.size for picture in opened]),
        left_out=listed([f"{count:,} {what}" for what, count in listing.left_out.most_common()]),
        files=tuple(file.relative_to(path) for file, _ in listing.files),
    )


def read_each(path: Path) -> tuple[list[Tensor], tuple[Path, ...]]:
    """All pictures as large as they are, each uint8 (C, H, W) with C 1 where it is grey and else 3, and where each is
    in the folder. Raises InputError as read() does."""
    listing = _listing(path)
    opened = list(_pictures(path, listing, None))
    pictures.levelled(opened)
    images = [torch.from_numpy(picture.pixels.copy()) for picture in opened]
    each = [image[None] if image.dim() == 2 else image.permute(2, 0, 1).contiguous() for image in images]
    return each, tuple(file.relative_to(path) for file, _ in listing.files)


def _pictures(path: Path, listing: Listing, resolution: int | None) -> Iterator[pictures.Picture]:
    """Those of a folder, one at a time; after the last one InputError where there were some that cannot be read."""
    unreadable = []
    for file, _ in listing.files:
        try:
            yield pictures.read(file, resolution)
        except pictures.Unreadable as error:
            unreadable.append(plain(f"{file.relative_to(path)} ({error})"))
    if unreadable:
        count = f"{len(unreadable):,} of {len(listing.files):,} files"
        raise InputError(f"{path}: cannot read {count}: {listed(unreadable, NAMED)}; remove or replace them")


def check_pairs(one: Path, other: Path) -> None:
    """InputError, with the first one that has none, where a file of one folder has no partner of its name, whatever
    its ending, in the other, or one of another size."""
    files = [[file for file, _ in _listing(path).files] for path in (one, other)]
    mine, theirs = (
        [file.relative_to(path).with_suffix("") for file in its_files]
        for path, its_files in zip((one, other), files, strict=True)
    )
    for path, here, there in ((one, mine, theirs), (other, theirs, mine)):
        if alone := sorted({*here} - {*there}):
            raise InputError(f"data.paired: {path / alone[0]} has no partner in the other folder; {PAIRS}")
    if mine != theirs:
        raise InputError(f"data.paired: {one} or {other} has names that differ in their endings alone; {PAIRS}")
    for pair in zip(*files, strict=True):
        sizes = [pictures.size(file) for file in pair]
        if sizes[0] != sizes[1]:
            shown = " and ".join(f"{width} x {height}" for width, height in sizes)
            raise InputError(f"data.paired: {pair[0]} and {pair[1]} are {shown}; valid: pairs of one size")


def check_large(path: Path, least: int) -> None:
    """InputError, with the first one, where an image is smaller than what it is to show the detail of."""
    for file, _ in _listing(path).files:
        width, height = pictures.size(file)
        if min(width, height) < least:
            raise InputError(
                f"data.low: {file} is {width} x {height}; valid: {least} or more a side (data.resolution), enlarged "
                "ones have no detail to learn"
            )


def _coloured(pixels: pictures.Pixels) -> pictures.Pixels:
    """(R, R, C), C 1 or 3: to be broadcast."""
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _origin(sizes: list[tuple[int, int]]) -> str:
    """The size of the files, or the smallest and the largest."""
    ordered = sorted(set(sizes), key=lambda size: (size[0] * size[1], size))
    ends = [f"{width} x {height}" for width, height in dict.fromkeys((ordered[0], ordered[-1]))]
    return " to ".join(ends)


def _listing(path: Path) -> Listing:
    """Labels only where there are two subfolders with images or more. One subfolder that holds all stands for the
    folder, as archives are unpacked."""
    if not path.is_dir():
        raise InputError(f"{path}: {'not a folder' if path.exists() else 'there is no such folder'}; {VALID}")
    listing, root = Listing(), path
    try:
        flat, folders = _entries(root, listing.left_out)
        around = tuple(_identity(each) for each in (path, *path.parents))
        below = {folder.name: sorted(_below(folder, listing.left_out, around)) for folder in folders}
        classes = {name: images for name, images in below.items() if images}
        while not flat and len(classes) == 1:
            [(name, inner)] = classes.items()
            if any(image.parent == root / name for image in inner):
                break
            root = root / name
            where = plain(str(root.relative_to(path)))
            listing.notes = [f"all images are in {where}, whose folders are the classes"]
            folders, classes = _entries(root, Counter())[1], {}
            for image in inner:
                classes.setdefault(image.relative_to(root).parts[0], []).append(image)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror}); {VALID}") from None
    if flat and classes:
        raise InputError(f"{path}: found both images and subfolders of images ({min(classes)}); {VALID}")
    if not flat and not classes:
        there = listed([f"{count:,} {what}" for what, count in listing.left_out.most_common()])
        raise InputError(f"{path}: found no images{f', but {there}' if there else ''}; {VALID}")
    foreign = [f"{listing.left_out[ending]:,} {ending}" for ending in FOREIGN if listing.left_out[ending]]
    if foreign:
        listing.notes.append(f"{listed(foreign)} are pictures that cannot be read here; convert them to PNG or JPEG")
    empty = sorted(plain(folder.name) for folder in folders if folder.name not in classes)
    if empty:
        listing.notes.append(f"no image is in {listed(empty)}: no class")
    names = in_order(list(classes))
    if len(names) < 2:
        listing.files = [(file, None) for file in flat or classes[names[0]]]
        return listing
    parts = [name for name in names if name.lower() in PARTS]
    if parts:
        listing.notes.append(
            f"taken for classes: {listed(parts)}; these look like parts or domains of a data set: if so, name one of "
            "the folders (gansweep makes parts of its own)"
        )
    listing.class_names = tuple(plain(name) for name in names)
    listing.files = [(file, label) for label, name in enumerate(names) for file in classes[name]]
    return listing


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _below(folder: Path, left_out: Counter[str], around: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """The images of a folder and of all below it; a link to a folder that it is in (`around`) is not followed."""
    itself = _identity(folder)
    if itself in around:
        left_out["links to a folder around them"] += 1
        return
    images, folders = _entries(folder, left_out)
    yield from images
    for each in folders:
        yield from _below(each, left_out, (*around, itself))


def _entries(folder: Path, left_out: Counter[str]) -> tuple[list[Path], list[Path]]:
    """(images, folders), by name; what is neither is counted by its ending."""
    images, folders = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name, is_folder = entry.name, entry.is_dir()
            if name.startswith(".") or name.lower() in TOOLS:
                left_out[f"{plain(name)}/" if is_folder else HIDDEN] += 1
            elif is_folder:
                folders.append(folder / name)
            elif not entry.is_file():
                left_out["broken links" if entry.is_symlink() else "of no kind of file"] += 1
            elif (ending := Path(name).suffix.lower()) in pictures.endings():
                images.append(folder / name)
            else:
                left_out[plain(ending) or "without an ending"] += 1
    return images, folders

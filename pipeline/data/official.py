"""The sets that torchvision knows, read from a folder that may be read-only, or downloaded into it."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.data.cache import locked
from pipeline.data.sources import Source
from pipeline.errors import InputError
from pipeline.schema.trial import DataSpec


@dataclass(frozen=True)
class Official:
    """cls: torchvision's class. folder: where in its root that class looks. unpacked: what it unpacks there.
    class_names: as torchvision has them; none where they are numbers."""

    cls: str
    folder: str
    unpacked: tuple[str, ...]
    class_names: tuple[str, ...] = ()

    def __call__(self, spec: DataSpec, root: Path | None, cache: Path) -> Source:
        return Source(*read(self, spec.name, root, cache), class_names=self.class_names)


def _mnist(cls: str, class_names: tuple[str, ...] = ()) -> Official:
    names = [f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    return Official(cls, f"{cls}/raw", tuple(names), class_names)


MNIST = _mnist("MNIST")
FASHION_MNIST = _mnist(
    "FashionMNIST",
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)
CIFAR10 = Official(
    "CIFAR10",
    ".",
    ("cifar-10-batches-py",),
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)


def read(official: Official, name: str, root: Path | None, cache: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(train images uint8 (N, C, H, W), labels int64, test images, labels) of the official parts.

    Looked for in root and in root/NAME; downloaded into root (the cache where root is None) when in neither.
    Raises InputError where files are damaged, or missing and cannot be downloaded.
    """
    root = (root or cache / "downloads").expanduser().resolve()
    places = [place / official.folder for place in (root, root / name)]
    for place in places:
        if _whole(place, official):
            return _read(official, place, cache)
    with locked(cache / "data" / f"download-{name}"):
        if not _whole(places[0], official):  # else another process has just downloaded it
            _download(name, official, places)
    return _read(official, places[0], cache)


def _archives(official: Official) -> dict[str, tuple[list[str], str]]:
    """File name -> (addresses, MD5), as torchvision lists them."""
    import torchvision

    cls = getattr(torchvision.datasets, official.cls)
    if official.cls == "CIFAR10":
        return {cls.filename: ([cls.url], cls.tgz_md5)}
    return {file: ([mirror + file for mirror in cls.mirrors], md5) for file, md5 in cls.resources}


def _whole(place: Path, official: Official) -> bool:
    """Whether all archives are in `place` and undamaged, or else all that they unpack to."""
    archives = _archives(official)
    there = [place / file for file in archives if (place / file).is_file()]
    for file in there:
        if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != archives[file.name][1]:
            raise InputError(
                f"{file}: damaged (its MD5 is not {archives[file.name][1]}); replace it, or delete it and "
                "it is downloaded"
            )
    return len(there) == len(archives) or all((place / file).exists() for file in official.unpacked)


def _read(official: Official, place: Path, cache: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """torchvision unpacks beside the archives: it is given a folder of links in the cache."""
    import torchvision

    archives = [file for file in _archives(official) if (place / file).is_file()]
    (cache / "data").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache / "data") as stage:
        target = Path(stage) / official.folder
        target.mkdir(parents=True, exist_ok=True)
        packed = len(archives) == len(_archives(official))
        for file in archives if packed else official.unpacked:
            (target / file).symlink_to(place / file)
        cls = getattr(torchvision.datasets, official.cls)
        try:
            train, test = (cls(stage, train=part, download=packed) for part in (True, False))
        except (RuntimeError, ValueError, EOFError, OSError) as error:
            raise InputError(
                f"{place}: damaged {official.cls} files ({str(error).splitlines()[0]}); replace them, or "
                "delete them and they are downloaded"
            ) from None
    return *_tensors(train), *_tensors(test)


def _tensors(part: object) -> tuple[Tensor, Tensor]:
    data = np.asarray(part.data)  # type: ignore[attr-defined]
    images = torch.from_numpy(data[:, None] if data.ndim == 3 else data.transpose(0, 3, 1, 2).copy())
    return images, torch.as_tensor(part.targets).long()  # type: ignore[attr-defined]


def _download(name: str, official: Official, places: list[Path]) -> None:
    """Each archive to a temporary name first: one that is interrupted leaves nothing that looks whole."""
    place, archives = places[0], _archives(official)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place, prefix=".download-") as stage:
            for file, (addresses, md5) in archives.items():
                if not (place / file).is_file():
                    _fetch(addresses, Path(stage) / file, md5)
                    (Path(stage) / file).replace(place / file)
    except (OSError, RuntimeError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{name}: not found in {places[0]} or {places[1]}, and cannot be downloaded ({text}); put "
            f"{', '.join(archives)} there, or name another folder with --data-root"
        ) from None


def _fetch(addresses: list[str], file: Path, md5: str) -> None:
    """From the first address that gives it; the last one's error if none does."""
    from torchvision.datasets.utils import download_url

    for address in addresses:
        try:
            download_url(address, str(file.parent), file.name, md5)
            return
        except (OSError, RuntimeError):
            if address == addresses[-1]:
                raise

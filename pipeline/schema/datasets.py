"""The data sets that have a name, as facts that need no torch; imported by the specs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError, one_of


@dataclass(frozen=True)
class Known:
    """kind: "image" or "points"; made: where its function of (DataSpec, root, cache) is, which reads all of its samples
    (a data.sources.Source, to be split) or draws its parts each time anew (a data.dataset.Dataset: drawn).
    domains: the names of its domains, where it has several; paired: whether each sample has its partner in the other
    one (None: the files decide).
    resolution, channels and labelled are None where the files decide; mixture: its modes are known and can be counted.
    about, licence: for a reader of what was trained on them; licence None where its authors name none."""

    kind: str
    made: str
    resolution: int | None = None
    channels: int | None = None
    labelled: bool | None = False
    downloaded: bool = False
    mixture: bool = False
    drawn: bool = False
    domains: tuple[str, ...] = ()
    paired: bool | None = False
    about: str = ""
    licence: str | None = None


# Of a downloaded data set: the folder in --data-root, or in a folder of the set's name there, that its files are in.
FILES = {
    "mnist": "MNIST/raw",
    "fashion_mnist": "FashionMNIST/raw",
    "cifar10": "cifar-10-batches-py",
    "stacked_mnist": "MNIST/raw",
}
FOLDERS = "imagefolders:"
DOMAINS = ("a", "b")  # of two folders, in the order in which they are named
TWO_DOMAINS = "imagefolders:PATH_A,PATH_B, or a data set of two domains"
_HERE = "pipeline.data"
_DRAWN = "points", f"{_HERE}.mixtures:opened"
_MIXTURE = "drawn anew by gansweep from known Gaussians"
_NOT_NEEDED = "none is needed, they are random numbers"

KNOWN: dict[str, Known] = {
    "digits": Known(
        "image",
        f"{_HERE}.sources:digits",
        8,
        1,
        labelled=True,
        about="Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), the copy in scikit-learn",
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
    ),
    "mnist": Known(
        "image",
        f"{_HERE}.official:MNIST",
        28,
        1,
        labelled=True,
        downloaded=True,
        about="MNIST handwritten digits (LeCun, Cortes and Burges 1998)",
    ),
    "fashion_mnist": Known(
        "image",
        f"{_HERE}.official:FASHION_MNIST",
        28,
        1,
        labelled=True,
        downloaded=True,
        about="Fashion-MNIST articles of clothing (Xiao, Rasul and Vollgraf 2017)",
        licence="MIT",
    ),
    "cifar10": Known(
        "image",
        f"{_HERE}.official:CIFAR10",
        32,
        3,
        labelled=True,
        downloaded=True,
        about="CIFAR-10 small photographs of ten classes (Krizhevsky 2009)",
    ),
    "stacked_mnist": Known(
        "image",
        f"{_HERE}.stacks:opened",
        28,
        3,
        labelled=True,
        downloaded=True,
        mixture=True,
        drawn=True,
        about="three MNIST digits a picture, one a channel: 1000 modes (Srivastava et al. 2017)",
    ),
    "digit_styles": Known(
        "image",
        f"{_HERE}.styles:opened",
        16,
        1,
        labelled=True,
        drawn=True,
        domains=DOMAINS,
        about="the digits of scikit-learn in two styles: a light on dark, b other ones, dark on light",
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
    ),
    "digit_outlines": Known(
        "image",
        f"{_HERE}.styles:outlines",
        16,
        1,
        labelled=True,
        drawn=True,
        domains=DOMAINS,
        paired=True,
        about="the digits of scikit-learn: a their outlines, b themselves, each beside its own",
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
    ),
    "ring8": Known(*_DRAWN, mixture=True, drawn=True, about=f"8 modes on a circle, {_MIXTURE}", licence=_NOT_NEEDED),
    "grid25": Known(*_DRAWN, mixture=True, drawn=True, about=f"25 modes on a grid, {_MIXTURE}", licence=_NOT_NEEDED),
}


def lookup(name: str) -> Known | None:
    """What is known of a data set before it is opened; None for a user's own function.

    Raises InputError for a name that is neither known nor "imagefolder:PATH", "imagefolders:PATH_A,PATH_B" or
    "file.py:function".
    """
    if name in KNOWN:
        return KNOWN[name]
    if name.startswith("imagefolder:") and name != "imagefolder:":
        return Known("image", f"{_HERE}.sources:images", labelled=None)
    if name.startswith(FOLDERS):
        folders(name)
        return Known("image", f"{_HERE}.styles:folders", labelled=None, drawn=True, domains=DOMAINS, paired=None)
    if ".py:" in name:
        return None
    valid = [*KNOWN, "imagefolder:PATH", f"{FOLDERS}PATH_A,PATH_B", "file.py:function"]
    raise InputError(f'found "{name}", {one_of(name, valid)}')


def folders(name: str) -> dict[str, str]:
    """The folder of each domain in "imagefolders:PATH_A,PATH_B", by the domain's name. Raises InputError for another
    number than two, and for one folder as both."""
    paths = [path.strip() for path in name.removeprefix(FOLDERS).split(",")]
    if len(paths) != len(DOMAINS) or not all(paths):
        there = len([path for path in paths if path])
        raise InputError(f'found "{name}", {there} folder{"" if there == 1 else "s"}; valid: {FOLDERS}PATH_A,PATH_B')
    if len({Path(path).expanduser().resolve() for path in paths}) == 1:
        raise InputError(f'found "{name}", one folder as both domains; valid: {FOLDERS}PATH_A,PATH_B')
    return dict(zip(DOMAINS, paths, strict=True))


def places(name: str) -> list[str]:
    """A data set's name, and of one of several folders that of each."""
    return [f"imagefolder:{path}" for path in folders(name).values()] if name.startswith(FOLDERS) else [name]


def files(name: str, root: Path | None) -> list[Path]:
    """The folders of a data set's own files, as they are found from here; none where it has none, or not yet."""
    if name.startswith("imagefolder"):
        return [Path(each.partition(":")[2]).expanduser().absolute() for each in places(name)]
    if root is None or name not in FILES:
        return []
    inside = (root / each / FILES[name] for each in (".", name))
    return [path.absolute() for path in inside if path.is_dir()][:1]


def check_path(name: str) -> None:
    """InputError where a data set's folder or file is not there, before anything else is started for it."""
    if name.startswith(FOLDERS):
        for place in places(name):
            check_path(place)
    elif name.startswith("imagefolder:"):
        folder = Path(name.removeprefix("imagefolder:"))
        if not folder.is_dir():
            raise InputError(f"{folder}: there is no such folder; valid: a folder of images, or of a folder a class")
    elif ".py:" in name:
        file = Path(name.rpartition(":")[0])
        if not file.is_file():
            raise InputError(f"{file}: there is no such file; valid: FILE.py:FUNCTION")

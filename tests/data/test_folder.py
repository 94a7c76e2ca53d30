import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import folder
from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.metrics.evaluator import Asked, prepare
from pipeline.schema.trial import DataSpec


def write(path: Path, colour: tuple[int, ...], mode: str = "RGB", size: tuple[int, int] = (16, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour if len(colour) > 1 else colour[0]).save(path)


def spec(path: Path, resolution: int = 8) -> DataSpec:
    return DataSpec(name=f"imagefolder:{path}", resolution=resolution)


def test_class_subfolders_give_labels(tmp_path: Path) -> None:
    for i in range(60):
        write(tmp_path / "images" / "cats" / f"{i}.png", (250, 0, i))
        write(tmp_path / "images" / "dogs" / f"{i}.png", (0, 250, i))
    data = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert (data.classes, data.channels, data.resolution) == (2, 3, 8)
    assert data.train_labels is not None
    assert torch.equal(data.train_labels == 0, data.train[:, 0, 0, 0] == 250)
    assert [len(data.train), len(data.validation), len(data.test)] == [72, 24, 24]


def test_a_flat_folder_has_no_labels_and_grey_stays_grey(tmp_path: Path) -> None:
    for i in range(120):
        write(tmp_path / "images" / f"{i}.png", (i,), "L")
    data = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert (data.train_labels, data.classes, data.channels) == (None, 0, 1)


def test_transparency_is_composited_on_white(tmp_path: Path) -> None:
    write(tmp_path / "hidden.png", (255, 0, 0, 0), "RGBA")
    write(tmp_path / "half.png", (0, 0, 0, 128), "RGBA")
    images = folder.read(tmp_path, 8).images
    assert images[:, :, 4, 4].tolist() == [[127, 127, 127], [255, 255, 255]]


def test_the_short_side_is_resized_and_the_centre_cropped(tmp_path: Path) -> None:
    pixels = np.zeros((32, 96, 3), np.uint8)
    pixels[:, 32:64] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    images = folder.read(tmp_path, 8).images
    assert images.shape == (1, 3, 8, 8)
    assert int(images[:, :, :, 1:7].min()) == 255


def test_resizing_has_antialias(tmp_path: Path) -> None:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:, ::2] = 255  # without antialias: all black or all white
    Image.fromarray(pixels).save(tmp_path / "stripes.png")
    images = folder.read(tmp_path, 8).images
    assert 120 <= int(images.min()) <= int(images.max()) <= 135


def test_a_changed_folder_is_read_anew(tmp_path: Path) -> None:
    for i in range(120):
        write(tmp_path / "images" / f"{i}.png", (i,), "L")
    first = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    write(tmp_path / "images" / "120.png", (255,), "L")
    second = load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert second.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no such folder"),
        (lambda path: path.mkdir(), "found no images"),
        (lambda path: path.write_text("x"), "not a folder"),
        (lambda path: (path.mkdir(), (path / "notes.txt").write_text("x")), "found no images"),
        (
            lambda path: (write(path / "a.png", (1, 2, 3)), write(path / "b" / "c.png", (1, 2, 3))),
            "both images and sub",
        ),
        (lambda path: write(path / "a.png", (1, 2, 3)), "found 1 samples; valid: at least 100"),
    ],
)
def test_a_folder_that_cannot_be_used_is_said_in_one_line(make, message: str, tmp_path: Path) -> None:
    make(tmp_path / "images")
    with pytest.raises(InputError, match=message) as raised:
        load(spec(tmp_path / "images"), None, tmp_path / "cache")
    assert "\n" not in str(raised.value)
    assert str(tmp_path / "images") in str(raised.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "images" / "good.png", (1, 2, 3))
    (tmp_path / "images" / "torn.png").write_bytes((tmp_path / "images" / "good.png").read_bytes()[:40])
    (tmp_path / "images" / "z.png").write_text("not an image")
    with pytest.raises(InputError, match=r"cannot read 2 of 3 files: torn.png \(.*\), z.png"):
        load(spec(tmp_path / "images"), None, tmp_path / "cache")


def fill(folder: Path, count: int, ending: str = ".png") -> None:
    for at in range(count):
        write(folder / f"{at}{ending}", (at,), "L", (8, 8))


def beside(path: Path) -> None:
    """What Jupyter, macOS and a network disk leave."""
    fill(path / "cat", 2)
    fill(path / "dog", 3)
    fill(path / ".ipynb_checkpoints", 1)
    fill(path / "__MACOSX" / "cat", 1)
    fill(path / "cat" / "@eaDir" / "0.png", 2)
    (path / "dog" / "._0.png").write_bytes(b"\0\5\26\7Mac OS X")
    (path / "dog" / "Thumbs.db").write_bytes(b"x")
    (path / ".DS_Store").write_bytes(b"x")


def deep(path: Path) -> None:
    fill(path / "cat" / "2019" / "may", 1)
    fill(path / "cat" / "2020", 1)
    fill(path / "dog", 1)
    fill(path / "dog" / "more", 2)


def looping(path: Path) -> None:
    deep(path)
    (path / "dog" / "again").symlink_to(path, target_is_directory=True)
    (path / "dog" / "gone.png").symlink_to(path / "nowhere.png")


def linked(path: Path) -> None:
    deep(path.parent / "elsewhere")
    path.mkdir()
    for name in ("cat", "dog"):
        (path / name).symlink_to(path.parent / "elsewhere" / name, target_is_directory=True)


def wrapped(path: Path) -> None:
    deep(path / "pets" / "all")
    (path / "pets" / "readme.txt").write_text("x")


def captioned(path: Path) -> None:
    deep(path)
    for at in range(3):
        (path / "cat" / f"{at}.txt").write_text("a cat")
    (path / "dog" / "0.heic").write_bytes(b"x")
    (path / "dog" / "raw").write_bytes(b"x")


def with_empty(path: Path) -> None:
    deep(path)
    (path / "bird").mkdir()
    (path / "notes" / "old").mkdir(parents=True)


HEIC = "1 .heic are pictures that cannot be read here; convert them to PNG or JPEG"


@pytest.mark.parametrize(
    ("make", "found", "left_out", "notes"),
    [
        (beside, "5 of 11 files", "1 .ipynb_checkpoints/, 1 __MACOSX/, 1 @eaDir/", ()),
        (deep, "5 files", "", ()),
        (looping, "5 of 7 files", "1 links to a folder around them, 1 broken links", ()),
        (linked, "5 files", "", ()),
        (wrapped, "5 of 6 files", "1 .txt", ("all images are in pets/all, whose folders are the classes",)),
        (captioned, "5 of 10 files", "3 .txt, 1 .heic, 1 without an ending", (HEIC,)),
        (with_empty, "5 files", "", ("no image is in bird, notes: no class",)),
    ],
)
def test_only_classes_are_classes_and_what_is_left_out_is_counted(
    make: Callable[[Path], None], found: str, left_out: str, notes: tuple[str, ...], tmp_path: Path
) -> None:
    make(tmp_path / "pets")
    images = folder.read(tmp_path / "pets", 8)
    assert images.class_names == ("cat", "dog")
    assert images.labels is not None
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert images.found == found
    assert all(part in images.left_out for part in left_out.split(", "))
    assert bool(images.left_out) == bool(left_out)
    assert [note for note in images.notes if note not in notes] == []
    assert len(images.notes) >= len(notes)


def test_a_flat_folder_with_folders_of_tools_stays_flat(tmp_path: Path) -> None:
    fill(tmp_path / "photos", 4)
    fill(tmp_path / "photos" / ".thumbnails", 4)
    fill(tmp_path / "photos" / "@eaDir", 4)
    (tmp_path / "photos" / "captions").mkdir()
    images = folder.read(tmp_path / "photos", 8)
    assert (len(images.images), images.labels, images.class_names) == (4, None, ())
    assert images.notes == ("no image is in captions: no class",)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10", "2", "1"], ["1", "2", "10"]),
        (["-1", "0.5", "-10"], ["-10", "-1", "0.5"]),
        (["10", "2", "a"], ["10", "2", "a"]),
        (["007", "1", "12"], ["1", "007", "12"]),
        (["b", "B", "a"], ["B", "a", "b"]),
    ],
)
def test_names_that_are_numbers_are_in_their_order(names: list[str], order: list[str], tmp_path: Path) -> None:
    for name in names:
        fill(tmp_path / "sizes" / name, 1)
    assert list(folder.read(tmp_path / "sizes", 8).class_names) == order


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train", "test"], "test, train"),
        (["trainA", "trainB", "testA"], "testA, trainA, trainB"),
        (["cat", "Validation"], "Validation"),
        (["val", "training"], "training, val"),
        (["vale", "tests"], None),
    ],
)
def test_parts_and_domains_as_classes_get_a_note(names: list[str], said: str | None, tmp_path: Path) -> None:
    for name in names:
        fill(tmp_path / "set" / name, 1)
    notes = folder.read(tmp_path / "set", 8).notes
    assert len(notes) == (said is not None)
    assert said is None or f"taken for classes: {said};" in notes[0]


def test_unreadable_files_are_counted_in_one_reading(tmp_path: Path) -> None:
    fill(tmp_path / "torn" / "a", 9)
    fill(tmp_path / "torn" / "b", 9)
    for at in range(1, 6):
        file = tmp_path / "torn" / "a" / f"{at}.png"
        file.write_bytes(file.read_bytes()[:50])
    (tmp_path / "torn" / "b" / "0.png").write_text("<html>not found</html>")
    with pytest.raises(InputError) as raised:
        folder.read(tmp_path / "torn", 8)
    line = str(raised.value)
    assert "torn: cannot read 6 of 18 files: a/1.png (" in line
    assert "a/3.png" in line
    assert line.endswith("and 3 more; remove or replace them")
    assert "\n" not in line


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".avif", ".heic"])
def test_the_line_of_what_was_read(ending: str, tmp_path: Path) -> None:
    """Kept with the decoded data: it is the same from the cache."""
    fill(tmp_path / "photos" / "cat", 60)
    fill(tmp_path / "photos" / "dog", 60)
    for at in range(7):
        write(tmp_path / "photos" / "dog" / f"x{at}.jpg", (at,), "L", (30, 20))
        (tmp_path / "photos" / "dog" / f"x{at}.jpg").rename(tmp_path / "photos" / "dog" / f"x{at}{ending}")
    data, again = (load(spec(tmp_path / "photos"), None, tmp_path / "cache") for _ in range(2))
    known = ending != ".heic"
    counts = "127 files" if known else "120 of 127 files"
    sizes, dogs = ("8 x 8 from 8 x 8 to 30 x 20", 67) if known else ("8 x 8", 60)
    left_out = "" if known else "; left out: 7 .heic"
    assert data.read == f"photos: {counts}, grey, {sizes}; classes cat 60, dog {dogs}{left_out}"
    assert (again.read, again.class_names) == (data.read, ("cat", "dog"))


@pytest.mark.parametrize("length", [20, 150, 200, 224, 255])
def test_the_name_of_a_folder_is_as_long_as_it_may_be(length: int, tmp_path: Path) -> None:
    """The cache's files have names too, and so has the extractor."""
    path = tmp_path / ("kaggle-" * 40)[:length]
    fill(path, 120)
    found = prepare(spec(path), Asked(), tmp_path / "cache", None)
    assert found["data"]["read"].startswith(f"{path.name}: 120 files")
    assert list((tmp_path / "cache" / "data").glob("folder-kaggle_*.safetensors"))


def test_names_that_no_terminal_shows_are_no_traceback(tmp_path: Path) -> None:
    for name in (b"ok", b"caf\xe9", b"two\nlines"):
        fill(Path(os.fsdecode(os.fsencode(tmp_path / "odd") + b"/" + name)), 50)
    data = load(spec(tmp_path / "odd"), None, tmp_path / "cache")
    assert data.class_names == ("caf?", "ok", "two?lines")
    data.read.encode("utf-8")


def test_the_fingerprint_of_a_plain_folder_is_what_it_was(tmp_path: Path) -> None:
    """An older sweep goes on only with the data that it was started with."""
    for at in range(120):
        write(tmp_path / "plain" / "ab"[at % 2] / f"{at}.png", (at, 2 * at, 255 - at), "RGB", (12, 10))
    assert load(spec(tmp_path / "plain"), None, tmp_path / "cache").fingerprint == "9f6082eaf1a982b7"


def test_real_emoji_have_white_corners(data_root: Path, tmp_path: Path) -> None:
    data = load(spec(data_root / "emoji_domains" / "images", 32), None, tmp_path)
    assert len(data.train) + len(data.validation) + len(data.test) == 2 * 1674
    assert data.classes == 2
    assert float((data.train[:, :, 0, 0] == 255).all(1).float().mean()) > 0.9

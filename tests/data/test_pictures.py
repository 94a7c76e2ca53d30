"""Pixels are those that a viewer shows: turned, scaled from more bits, and from a frame that is named."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.data import folder
from pipeline.data.pictures import endings
from pipeline.errors import InputError

SIDE = 8
RAMP = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)  # of black to white
SHOWN = np.rint(RAMP * 255)


def save(path: Path, values: object, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values)).save(path, **options)


def ramp_16(path: Path) -> None:
    save(path / "a.png", np.rint(RAMP * 65535).astype(np.uint16))


def ramp_16_pgm(path: Path) -> None:
    path.mkdir()
    (path / "a.pgm").write_bytes(b"P5 8 8 65535\n" + np.rint(RAMP * 65535).astype(">u2").tobytes())


def ramp_16_big(path: Path) -> None:
    path.mkdir()
    Image.frombytes("I;16B", (SIDE, SIDE), np.rint(RAMP * 65535).astype(">u2").tobytes()).save(path / "a.tif")


def ramp_small_integers(path: Path) -> None:
    save(path / "a.tif", SHOWN.astype(np.int32))


def ramp_integers(path: Path) -> None:
    save(path / "a.tif", np.rint(RAMP * 70_000 - 30_000).astype(np.int32))


def ramp_share(path: Path) -> None:
    save(path / "a.tiff", RAMP.astype(np.float32))


def ramp_255(path: Path) -> None:
    save(path / "a.tif", (RAMP * 255).astype(np.float32))


def ramp_heights(path: Path) -> None:
    save(path / "a.tif", (RAMP * 500 - 100).astype(np.float32))


def ramp_over_two_files(path: Path) -> None:
    """Neither file alone has both ends of the range."""
    save(path / "b.tif", np.full((SIDE, SIDE), 4000.0, np.float32))
    save(path / "a.tif", (RAMP * 4000.0 * 255 / 256).astype(np.float32))


@pytest.mark.parametrize(
    ("make", "note"),
    [
        (ramp_16, r"1 file of 16 bits a pixel, scaled to 8$"),
        (ramp_16_pgm, r"1 file of 16 bits a pixel"),
        (ramp_16_big, r"1 file of 16 bits a pixel"),
        (ramp_small_integers, r"1 file of 32-bit integers, 0 to 255: 0 is black, 255 is white"),
        (ramp_integers, r"-30000, the lowest of all, is black, 40000, the highest, is white"),
        (ramp_share, r"1 file of floats, 0 to 1: 0 is black, 1 is white"),
        (ramp_255, r"1 file of floats, 0 to 255: 0 is black, 255 is white"),
        (ramp_heights, r"-100, the lowest of all, is black, 400, the highest, is white"),
        (ramp_over_two_files, r"2 files of floats, 0 to 4000: 0, the lowest of all"),
    ],
)
def test_more_than_8_bits_are_scaled_and_said(make: Callable[[Path], None], note: str, tmp_path: Path) -> None:
    make(tmp_path / "deep")
    found = folder.read(tmp_path / "deep", SIDE)
    assert found.images.shape[1] == 1
    assert float((found.images[0, 0] - torch.from_numpy(SHOWN)).abs().max()) <= 1
    [line] = found.notes
    assert torch.equal(found.images, folder.read(tmp_path / "deep", SIDE).images)
    assert re.search(note, line), line


def test_16_bits_that_use_a_corner_of_their_range_are_said_to_be_dark(tmp_path: Path) -> None:
    save(tmp_path / "dark" / "a.png", np.rint(RAMP * 4095).astype(np.uint16))
    found = folder.read(tmp_path / "dark", SIDE)
    assert int(found.images.max()) == 16
    assert "none is above 6.2% of white" in found.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif", ".webp"])
def test_exif_turns_a_picture_as_a_viewer_does(orientation: int, ending: str, tmp_path: Path) -> None:
    """The corner at the top left that is shown is where the tag says that the file keeps it."""
    upright = np.zeros((16, 16), np.uint8)
    upright[:8, :8], upright[:8, 8:], upright[8:, :8] = 250, 150, 80
    kept = {
        1: upright,
        2: np.fliplr(upright),
        3: np.rot90(upright, 2),
        4: np.flipud(upright),
        5: upright.T,
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    quality = {".jpg": {"quality": 100}, ".webp": {"lossless": True}}.get(ending, {})
    save(tmp_path / "turned" / f"a{ending}", np.ascontiguousarray(kept), exif=exif, **quality)
    found = folder.read(tmp_path / "turned", 16)
    assert found.images[0, 0, 4::8, 4::8].flatten().tolist() == pytest.approx([250, 150, 80, 0], abs=4)
    assert found.notes == (() if orientation == 1 else ("1 file turned upright as EXIF says",))


def test_exif_that_is_torn_leaves_the_picture_as_it_is(tmp_path: Path) -> None:
    save(tmp_path / "torn" / "a.jpg", SHOWN.astype(np.uint8), exif=b"Exif\0\0II*\0\xff\xff\xff\xff", quality=100)
    found = folder.read(tmp_path / "torn", SIDE)
    assert (len(found.images), found.notes) == (1, ())


@pytest.mark.parametrize("ending", [".gif", ".tif", ".webp", ".png"])
def test_of_several_frames_the_first_is_read_and_said(ending: str, tmp_path: Path) -> None:
    first, second = (Image.new("L", (SIDE, SIDE), value) for value in (40, 200))
    (tmp_path / "film").mkdir()
    lossless = {"lossless": True} if ending == ".webp" else {}
    first.save(tmp_path / "film" / f"a{ending}", save_all=True, append_images=[second], **lossless)
    found = folder.read(tmp_path / "film", SIDE)
    assert found.images.float().mean() == pytest.approx(40, abs=2)
    assert found.notes == ("1 file of several frames or pages: the first one is read",)


@pytest.mark.parametrize(
    ("mode", "colour", "options", "shown"),
    [
        ("L", 90, {"transparency": 90}, 255),
        ("RGB", (9, 9, 9), {"transparency": (9, 9, 9)}, 255),
        ("LA", (0, 128), {}, 127),
        ("P", 3, {"transparency": 3}, 255),
        ("1", 1, {}, 255),
        ("I;16", 500, {"transparency": 500}, 255),
    ],
)
def test_what_is_transparent_is_white(
    mode: str, colour: object, options: dict[str, object], shown: int, tmp_path: Path
) -> None:
    (tmp_path / "clear").mkdir()
    picture = Image.new(mode, (SIDE, SIDE), colour)
    if mode == "P":
        picture.putpalette([10, 20, 30] * 256)
    picture.save(tmp_path / "clear" / "a.png", **options)
    assert set(folder.read(tmp_path / "clear", SIDE).images.unique().tolist()) == {shown}


def test_a_cmyk_picture_has_the_colours_that_are_shown(tmp_path: Path) -> None:
    (tmp_path / "print").mkdir()
    Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0)).save(tmp_path / "print" / "a.tif")
    assert folder.read(tmp_path / "print", SIDE).images[0, :, 0, 0].tolist() == pytest.approx([255, 0, 0], abs=2)


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".apng", ".tga", ".jp2", ".pbm", ".ico", ".dds", ".qoi", ".PNG"])
def test_every_ending_that_is_read_is_a_picture(ending: str, tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    kind = {".pbm": "1", ".ico": "RGBA"}.get(ending, "RGB")
    Image.new(kind, (16, 16), "white").save(tmp_path / "all" / f"a{ending}")
    assert int(folder.read(tmp_path / "all", SIDE).images.min()) >= 254


def test_documents_and_films_are_no_pictures() -> None:
    assert not endings() & {".pdf", ".eps", ".ps", ".mpg", ".mpeg", ".mp4", ".h5", ".hdf", ".wmf", ".emf", ".npy"}


def test_a_document_with_the_ending_of_a_picture_starts_no_program(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    with pytest.raises(InputError, match=r"a.png \(cannot identify image file\)"):
        folder.read(tmp_path / "odd", SIDE)


def test_values_that_are_not_finite_are_refused_with_the_file(tmp_path: Path) -> None:
    holes = RAMP.astype(np.float32)
    holes[2, 2] = np.nan
    save(tmp_path / "holes" / "a.tif", holes)
    save(tmp_path / "holes" / "b.tif", RAMP.astype(np.float32))
    with pytest.raises(InputError, match=r"cannot read 1 of 2 files: a.tif \(has values that are not finite\)"):
        folder.read(tmp_path / "holes", SIDE)

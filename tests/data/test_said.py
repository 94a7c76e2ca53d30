"""What was read is said before anything trains, by train as by a dry run (a sweep: tests/integration)."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from pipeline.cli.main import app

SPACE = """
data: {name: "%s", resolution: 8}
objective: fid
budget: {images: 64}
evaluation: {every: 64}
search: {trials: 1}
generator: {network: mlp, width: 8, depth: 1}
discriminator: {network: mlp, width: 8, depth: 1}
optimiser: {lr_g: {log: [1e-4, 1e-3]}}
batch_size: 16
known_good:
  - {optimiser.lr_g: 2e-4}
"""
FUNCTION = """
import torch
def images(resolution): return torch.rand(200, 1, 8, 8), torch.arange(200) % 2 + 2019
"""


def photos(folder: Path) -> str:
    for name in ("cat", "dog"):
        (folder / "photos" / name).mkdir(parents=True)
        for at in range(60):
            Image.new("L", (10, 8), 2 * at).save(folder / "photos" / name / f"{at}.png")
    (folder / "photos" / "dog" / "60.heic").write_bytes(b"x")
    return f"imagefolder:{folder}/photos"


def turned(folder: Path) -> str:
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "phone").mkdir()
    for at in range(120):
        Image.new("RGB", (9, 8), (at, 9, 9)).save(folder / "phone" / f"{at}.jpg", exif=exif)
    return f"imagefolder:{folder}/phone"


def function(folder: Path) -> str:
    (folder / "mine.py").write_text(FUNCTION)
    return f"{folder}/mine.py:images"


def started(folder: Path, name: str, *arguments: str) -> Result:
    (folder / "space.yaml").write_text(SPACE % name)
    command, *rest = arguments
    return CliRunner().invoke(app, [command, str(folder / "space.yaml"), "--home", str(folder / "home"), *rest])


@pytest.mark.parametrize(
    ("make", "lines"),
    [
        (
            photos,
            [
                "data: photos: 120 of 121 files, grey, 8 x 8 from 10 x 8; classes cat 60, dog 60; left out: 1 .heic",
                "note: 1 .heic are pictures that cannot be read here; convert them to PNG or JPEG",
            ],
        ),
        (
            turned,
            ["data: phone: 120 files, colour, 8 x 8 from 8 x 9", "note: 120 files turned upright as EXIF says"],
        ),
        (
            function,
            [
                "data: mine.py:images: 200 images, grey, 8 x 8; classes 2019 100, 2020 100",
                "note: mine.py:images: its float images are in [0, 1], and -1 is black: what is 0 is taken for "
                "mid-grey; 2 * x - 1 brings them to [-1, 1]",
                "note: mine.py:images: its labels are not 0, 1, 2 ... without a gap, so they are numbered: 2019, 2020 "
                "became the classes 0 to 1",
            ],
        ),
    ],
)
def test_train_says_what_it_read_first(make, lines: list[str], tmp_path: Path) -> None:
    done = started(tmp_path, make(tmp_path), "train", "-o", str(tmp_path / "run"))
    assert done.exit_code == 0, done.output
    said = done.stderr.splitlines()
    assert said[said.index(lines[0]) :][: len(lines)] == lines
    assert said.index(lines[-1]) < next(at for at, line in enumerate(said) if "images  fid" in line)
    data = json.loads((tmp_path / "run" / "result.json").read_text())["data"]
    assert [f"data: {data['read']}", *(f"note: {note}" for note in data["notes"])] == lines


def test_a_dry_run_says_it_too(tmp_path: Path) -> None:
    done = started(tmp_path, photos(tmp_path), "run", "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)["data"]
    assert data["read"].startswith("photos: 120 of 121 files")
    assert (data["class_names"], len(data["notes"])) == (["cat", "dog"], 1)

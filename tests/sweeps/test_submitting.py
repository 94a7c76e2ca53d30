"""What is uploaded for a cluster that is elsewhere, and what is refused before that."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.plugin import named
from pipeline.space.load import load
from pipeline.sweeps.submitting import Order, is_dashboard
from tests.games.test_own import example

SPACE = """
data: {name: digits}
objective: fid
budget: {images: 4_000}
evaluation: {every: 1_000, samples: 100}
game: {name: "my_gan.py:MyGame", options: {margin: {log: [0.01, 1]}}}
latent: {size: 8}
generator: {network: mlp, width: 16, depth: 2}
discriminator: {network: mlp, width: 16, depth: 2}
"""


@pytest.mark.parametrize(
    ("address", "is_one"),
    [("http://head:8265", True), ("http://[x", True), ("auto", False), ("head:6379", False), (None, False)],
)
def test_a_dashboard_is_told_by_its_address(address: str | None, is_one: bool) -> None:
    assert is_dashboard(address) is is_one


def test_own_files_travel_to_where_they_are_the_next_time_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_gan.py").write_text(example())
    (tmp_path / "own.yaml").write_text(SPACE)
    upload, home = tmp_path / "upload", tmp_path / "a home"
    upload.mkdir()
    order = Order.of("own.yaml", ["budget.images=2000"], {"--home": str(home), "--gpus-per-trial": 0.5}, trials=3)
    command = order.write(upload)
    assert command.endswith(
        f"exec gansweep run space.yaml --home '{home}' --gpus-per-trial 0.5 --name own --resume --address auto"
    )
    before, run = command.split(" && exec ")
    subprocess.run(before, shell=True, cwd=upload, check=True)  # as the head does it, twice
    subprocess.run(before, shell=True, cwd=upload, check=True)
    assert shlex.split(run)[2] == "space.yaml"
    (tmp_path / "my_gan.py").unlink()
    there = load(str(upload / "space.yaml"))
    assert named(there.tree) == [f"{home}/.code/own/0/my_gan.py:MyGame"]
    assert (there.sweep.search.trials, there.tree["budget"]["images"]) == (3, 2000)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--address: found a dashboard, of machines that are elsewhere; valid: with --home"),
        ({"--home": "sweeps"}, "--home: found sweeps; valid: an absolute path, of the cluster's machines"),
        ({"--storage": "s3://[x"}, '--storage: found "s3://[x"; valid: '),
        ({"--storage": "s3://key:secret@bucket/x"}, "--storage: found a URL with credentials"),
        (
            {"--home": "/x", "--tracking-uri": "http://me:secret@host"},
            "--tracking-uri: found an address with a password",
        ),
        ({"--home": "/x", "--name": "a/b"}, 'the name "a/b" will not do'),
    ],
)
def test_what_will_not_do_is_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Order.of("digits", [], options)
    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)


def test_a_storage_alone_needs_no_home(tmp_path: Path) -> None:
    order = Order.of("digits", [], {"--storage": "s3://bucket/us", "--name": "mine"})
    assert order.write(tmp_path) == (
        f"exec gansweep run space.yaml --storage s3://bucket/us --name mine --home {order.home} --resume --address auto"
    )
    assert Path(order.home).is_absolute()


def test_sweeps_of_two_storages_have_two_homes_there() -> None:
    """In one, the second of a name would go on with the first."""
    urls = ("s3://bucket/us", "S3://bucket/us/", "s3://bucket-us", "s3://bucket/them")
    same, again, *others = (Order.of("digits", [], {"--storage": url}).home for url in urls)
    assert same == again
    assert len({same, *others}) == 3

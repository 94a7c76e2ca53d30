"""Downloads, from a server on this machine that has a small CIFAR-10 of the official form."""

import hashlib
import io
import pickle
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.schema.trial import DataSpec

CIFAR = DataSpec(name="cifar10")
BATCH = 2100  # five of them are more than the 10,000 that become the validation part


class Handler(SimpleHTTPRequestHandler):
    asked: list[str] = []

    def log_message(self, *_: object) -> None:
        self.asked.append(self.command)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("server") / CIFAR10.filename
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for at, name in enumerate([*(entry[0] for entry in CIFAR10.train_list), "test_batch", "batches.meta"]):
            pixels = np.zeros((BATCH, 3, 32, 32), np.uint8)
            pixels[:, 0], pixels[:, 2, 0, 0] = at, 200
            content = {"data": pixels.reshape(BATCH, -1), "labels": [i % 10 for i in range(BATCH)]}
            content = {"label_names": [str(i) for i in range(10)]} if name == "batches.meta" else content
            data = pickle.dumps(content)
            info = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def server(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The addresses and sums of torchvision's class, set to the small archive; what was asked of the server."""
    Handler.asked = []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(archive.parent)))
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    monkeypatch.setattr(CIFAR10, "url", f"http://127.0.0.1:{httpd.server_port}/{archive.name}")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    for name in ("train_list", "test_list"):
        monkeypatch.setattr(CIFAR10, name, [[entry[0], None] for entry in getattr(CIFAR10, name)])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": None})
    yield Handler.asked
    httpd.shutdown()
    httpd.server_close()


def test_downloaded_once_into_the_root(server: list[str], tmp_path: Path) -> None:
    data = load(CIFAR, tmp_path / "root", tmp_path / "cache")
    assert "GET" in server
    assert [file.name for file in (tmp_path / "root").iterdir()] == [CIFAR10.filename]
    assert [len(data.train), len(data.validation), len(data.test)] == [5 * BATCH - 10_000, 10_000, BATCH]
    assert (data.channels, data.resolution, data.classes) == (3, 32, 10)
    server.clear()
    again = load(CIFAR, tmp_path / "root", tmp_path / "other")
    assert again.fingerprint == data.fingerprint
    assert server == []


def test_the_official_test_part_stays_the_test_part(server: list[str], archive: Path, tmp_path: Path) -> None:
    data = load(CIFAR, archive.parent, tmp_path)
    assert server == []
    assert data.test[:, 0].unique().tolist() == [5]
    assert torch.cat([data.train, data.validation])[:, 0].unique().tolist() == [0, 1, 2, 3, 4]
    assert data.test[:, 2, 0, 0].unique().tolist() == [200]  # channels, rows and columns are where they were


def test_files_that_are_unpacked_already_will_do(server: list[str], archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "root", filter="data")
    assert len(load(CIFAR, tmp_path / "root", tmp_path / "cache").test) == BATCH
    assert server == []


def test_a_download_that_is_not_what_it_should_be_leaves_nothing(
    server: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CIFAR10, "tgz_md5", "0" * 32)
    with pytest.raises(InputError, match="cannot be downloaded"):
        load(CIFAR, tmp_path / "root", tmp_path / "cache")
    assert "GET" in server
    assert list((tmp_path / "root").iterdir()) == []

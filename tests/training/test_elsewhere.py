"""Checkpoints from elsewhere: code that they name is not run without consent, and what is damaged, larger than the file
or not finite is one line, for generate and for init_from alike."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pipeline import plugin
from pipeline.cli.main import app
from pipeline.errors import InputError
from pipeline.record.log import Record
from pipeline.sampling.exporting import export
from pipeline.sampling.generating import PIXELS, VALUES, Wanted, generate
from pipeline.schema.trial import TrialSpec
from pipeline.training.state import initial
from pipeline.training.store import Store, load
from tests.conformance.test_training import data
from tests.sampling.test_exporting import OWN
from tests.sampling.test_generating import checkpoint
from tests.training import toy

Content = dict[str, Any]


def changed(folder: Path, change: Callable[[Content], None]) -> Path:
    """A checkpoint with something else in it, under its right hash."""
    content = load(checkpoint(folder / "before", conditional=True))
    change(content)
    return folder / "after" / Store(folder / "after").save(48, content)


def put(value: Any, *keys: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def drop(*keys: str) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def broken(value: float) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        for side in ("ema", "discriminator"):
            next(iter(content["state"][side].values())).view(-1)[3] = value

    return change


def of_terabytes(content: Content) -> None:
    """A sample of 2 TiB, and a tensor of one number that says it has the shape for it."""
    content["shape"] = [3, 8192, 8192]
    for name, value in content["state"]["ema"].items():
        content["state"]["ema"][name] = torch.zeros(1).expand(2**30, *value.shape[1:])


FAULTS = {
    "no state": (drop("state"), r"has no state; it is no whole checkpoint"),
    "no average": (drop("state", "ema"), r"has no state\.ema"),
    "no spec": (drop("spec"), r"has no spec"),
    "a spec of text": (put("dcgan", "spec"), r"its spec is 'dcgan'; valid: a mapping"),
    "a spec without data": (drop("spec", "data"), r"data: missing; it must be given"),
    "an unknown key": (put(1, "spec", "extra"), r'unknown key "extra"'),
    "weights in a list": (put([1, 2], "state", "ema"), r"its state\.ema is \[1, 2\]; valid: a mapping"),
    "a number for a weight": (put(1.0, "state", "ema", "x"), r"its state\.ema\.x is 1\.0; valid: a tensor"),
    "NaN": (broken(float("nan")), r"1 of [\d,]+ values of ema\.\S+ are not finite"),
    "infinite": (broken(float("-inf")), r"1 of [\d,]+ values of ema\.\S+ are not finite"),
    "one number, terabytes": (of_terabytes, r"says that it has [\d,.]+ MiB of weights, and the file has"),
}


@pytest.mark.parametrize(("change", "line"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_a_checkpoint_is_one_line(
    tmp_path: Path, change: Callable[[Content], None], line: str
) -> None:
    path = changed(tmp_path, change)
    for call in (lambda: generate(path, Wanted(4), 0, tmp_path / "x.png"), lambda: _start_from(path)):
        with pytest.raises(InputError, match=line) as error:
            call()
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)
    assert not (tmp_path / "x.png").exists()


SAMPLED = {
    "no shape": (drop("shape"), r"its shape is None; valid: \[columns\], or"),
    "a shape of a side too many": (put([1, 1, 8, 8], "shape"), r"its shape is \[1, 1, 8, 8\]"),
    "a shape of terabytes": (put([3, 10**6, 10**6], "shape"), r"its shape is \[3, 1000000, 1000000\]"),
    "a larger shape": (put([3, 4096, 4096], "shape"), r"are not those of its spec: ema\.\S+ is \(.*\) in it"),
    "networks of gigabytes": (put(8192, "spec", "generator", "width"), r"ema\.\S+ is \(16.* in it and \(8192"),
    "a negative class": (put([-1] * 10, "state", "classes"), r"state\.classes is \[-1"),
    "names of other classes": (put(["cat"], "state", "class_names"), r"has 1 names for 10 classes"),
    "a centre without a scale": (put([0.0], "state", "centre"), r"its state\.centre is \[0\.0\]; valid"),
    "images of text": (put("many", "state", "images"), r"its state\.images or"),
}


@pytest.mark.parametrize(("change", "line"), SAMPLED.values(), ids=SAMPLED)
def test_what_only_sampling_needs(tmp_path: Path, change: Callable[[Content], None], line: str) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(InputError, match=line) as error:
        generate(path, Wanted(4), 0, tmp_path / "x.png")
    assert "\n" not in str(error.value)


def _start_from(path: Path) -> None:
    spec = TrialSpec.model_validate(load_spec() | {"init_from": {"path": str(path)}})
    initial(spec, data("digits"), seed=2)


def load_spec() -> Content:
    network = {"network": "mlp", "width": 16, "depth": 1}
    return {
        "data": {"name": "digits"},
        "budget": {"images": 640},
        "evaluation": {"every": 320},
        "latent": {"size": 6},
        "game": {"condition": {"kind": "projection"}},
        "generator": network,
        "discriminator": network,
        "batch_size": 16,
    }


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code was run",))


def _zip(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr("x/data.pkl", pickle.dumps({"format": 1, "state": _Runs()}))
        archive.writestr("x/version", "3")
        archive.writestr("x/byteorder", "little")
    return buffer.getvalue()


ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda raw: raw[: len(raw) // 2],
    "its last byte is missing": lambda raw: raw[:-1],
    "empty": lambda raw: b"",
    "a picture": lambda raw: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "text": lambda raw: b"weights: none\n",
    "a pickle with code": lambda raw: pickle.dumps(_Runs()),
    "an archive with code": lambda raw: _zip(compressed=False),
    "a compressed archive with code": lambda raw: _zip(compressed=True),
    "bytes in its middle are others": lambda raw: raw[:200] + bytes(400) + raw[600:],
}


@pytest.mark.parametrize("damage", ARCHIVES.values(), ids=ARCHIVES)
def test_a_damaged_archive_is_one_line(
    tmp_path: Path, damage: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    raw = checkpoint(tmp_path / "run", conditional=True).read_bytes()
    path = tmp_path / "given.pt"
    path.write_bytes(damage(raw))
    for call in (lambda: generate(path, Wanted(4), 0, tmp_path / "x.png"), lambda: _start_from(path)):
        with pytest.raises(InputError, match=r"given\.pt: ") as error:
            call()
        assert "\n" not in str(error.value)
    assert "code was run" not in capsys.readouterr().out


def test_samples_that_are_not_finite_are_no_picture(tmp_path: Path) -> None:
    """Weights may be finite, and what comes of them not."""

    def large(content: Content) -> None:
        for value in content["state"]["ema"].values():
            value.fill_(3e38).view(-1)[::2].neg_()

    path = changed(tmp_path, large)
    with pytest.raises(InputError, match=r"of 4 samples have values that are not finite"):
        generate(path, Wanted(4), 0, tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize(
    ("wanted", "name", "line"),
    [
        (Wanted(10**12), "x.npz", r"-n: found 1,000,000,000,000; valid: at most [\d,]+ samples at a time"),
        (Wanted(10**30), "x.png", r"-n: found 1,0.*; valid: at most"),
        (Wanted(VALUES), "x.png", r"valid: at most"),
        (Wanted(64, columns=10**9), "x.png", r"a picture of 10,000,000,000 x 10 pixels; valid: one"),
        (Wanted(label="all", columns=10**9), "x.npz", r"--columns: found 1,000,000,000 for each of 10 classes; valid"),
        (Wanted(4, columns=PIXELS), "x.png", r"a picture of [\d,]+ x 10 pixels; valid: one of at most"),
    ],
)
def test_more_than_a_machine_has_is_refused(tmp_path: Path, wanted: Wanted, name: str, line: str) -> None:
    path = checkpoint(tmp_path, conditional=wanted.label is not None)
    with pytest.raises(InputError, match=line):
        generate(path, wanted, 0, tmp_path / name)


# A part of the user's own says that it ran by a file beside it.
MARK = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n"
NETWORK = """
class Generator(torch.nn.Module):
    def __init__(self, latent_size, classes, shape, width=16):
        super().__init__()
        self.shape, self.layer = shape, torch.nn.Linear(latent_size + classes, 64)
    def forward(self, inputs):
        return self.layer(inputs).tanh().view(-1, *self.shape)
def term(seen, options):
    return seen.real_scores.square()
quadratic = Objective(lambda real, fake: (real - 1).square() + fake.square(), lambda real, fake: (fake - 1).square())
"""
PARTS = {
    "a game": {"game": {"name": "FILE:Tiny"}},
    "a network": {"generator": {"network": "FILE:Generator"}},
    "an objective": {"game": {"objective": "FILE:quadratic"}},
    "a term": {"regularisers": {"own": {"mine": {"name": "FILE:term"}}}},
}


def own(folder: Path, part: str, at: str = "") -> tuple[Path, Path]:
    """A checkpoint that names a part of one's own, and the file that is there once it ran."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "mine.py"
    file.write_text(OWN + "from pipeline.games.objectives import Objective\n" + NETWORK + MARK)
    changes = {key: _named(value, file) for key, value in PARTS[part].items()}
    path = checkpoint(folder / at, conditional=False, **changes)
    ran = file.with_suffix(".ran")
    ran.unlink()
    file.write_text(file.read_text() + f"# {part}\n")  # what is imported already would not run again
    return path, ran


def _named(value: Any, file: Path) -> Any:
    if isinstance(value, dict):
        return {key: _named(each, file) for key, each in value.items()}
    return value.replace("FILE", str(file))


@pytest.mark.parametrize("part", PARTS)
def test_code_that_a_checkpoint_names_is_run_with_consent_alone(tmp_path: Path, part: str) -> None:
    path, ran = own(tmp_path, part)
    command = ["generate", str(path), "-n", "4", "-o", str(tmp_path / "x.npz")]
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, InputError)
    assert str(path) in str(done.exception)
    assert f"{ran.with_suffix('.py')}:" in str(done.exception)
    assert "--trust-code" in str(done.exception)
    with pytest.raises(InputError, match="names code"):
        export(path, tmp_path / "out")
    assert not ran.exists()
    assert CliRunner().invoke(app, [*command, "--trust-code"]).exit_code == 0
    assert ran.exists()
    assert np.load(tmp_path / "x.npz")["samples"].shape == (4, 1, 8, 8)


@pytest.mark.parametrize("part", ["an objective", "a term"])
def test_to_start_from_one_runs_nothing_that_it_names(tmp_path: Path, part: str) -> None:
    path, ran = own(tmp_path, part)
    tree = load_spec() | {"game": {}, "init_from": {"path": str(path)}}
    state = initial(TrialSpec.model_validate(tree), data("digits"), seed=2)
    assert torch.equal(*(next(iter(side.values())) for side in (load(path)["state"]["ema"], state.ema.state_dict())))
    assert not ran.exists()


UNFIT = {
    "no measurement": (drop("measurement"), r"has no measurement, so nothing can go on from it"),
    "no state": (drop("state"), r"has no state, so nothing can go on"),
    "no optimiser": (drop("state", "optimiser_g"), r"nothing can go on from its state \(KeyError: 'optimiser_g'\)"),
    "of other shapes": (put({}, "state", "generator"), r"nothing can go on from its state \(RuntimeError: Error"),
    "text for a number": (put("x", "state", "batches"), r"nothing can go on from its state \(TypeError"),
    "a spec of text": (put("x", "spec"), r"has no spec, so nothing can go on"),
}


@pytest.mark.parametrize(("change", "line"), UNFIT.values(), ids=UNFIT)
def test_a_run_does_not_go_on_from_what_is_not_whole(
    tmp_path: Path, change: Callable[[Content], None], line: str
) -> None:
    first = next(toy.run(tmp_path))
    content = load(tmp_path / str(first.checkpoint))
    change(content)
    path = tmp_path / Store(tmp_path).save(first.images, content)
    with pytest.raises(InputError, match=line) as error:
        next(toy.run(tmp_path))
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_data_and_metrics_that_it_names_are_not_run_at_all(tmp_path: Path) -> None:
    metric = {"name": f"{tmp_path}/gone.py:metric", "minimise": True}
    path = checkpoint(tmp_path, False, evaluation={"every": 320, "metrics": {"mine": metric}})
    assert generate(path, Wanted(4), 0, tmp_path / "x.png").startswith("4 samples")


@pytest.mark.parametrize("part", ["a game", "a network", "a term"])
def test_a_sweep_of_this_home_may_run_what_it_was_trained_with(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ran = own(tmp_path, part, "home/mine/trials/0/seed-1")
    sources = plugin.sources([f"{ran.with_suffix('.py')}:x"])
    record = Record(tmp_path / "home" / "mine" / "events.jsonl")
    record.append("sweep", name="mine", space={}, source="x", spec={}, seed=0, versions={})
    record.append("prepared", data={}, features="x", floor={}, floor_spread={}, code=plugin.fingerprints(sources))
    record.close()
    export(path, tmp_path / "out", home=tmp_path / "home")  # as its pick does
    ran.unlink()
    monkeypatch.setenv("GANSWEEP_HOME", str(tmp_path / "other"))
    with pytest.raises(InputError, match="--trust-code"):
        generate(path, Wanted(4), 0, tmp_path / "x.png")
    monkeypatch.setenv("GANSWEEP_HOME", str(tmp_path / "home"))
    generate(path, Wanted(4), 0, tmp_path / "x.png")
    ran.with_suffix(".py").write_text(ran.with_suffix(".py").read_text() + "# edited\n")
    with pytest.raises(InputError, match=r"is not what it was trained with: .*mine\.py:.*--trust-code"):
        generate(path, Wanted(4), 0, tmp_path / "x.png")
    assert not ran.exists()


def test_an_error_of_trusted_code_is_one_line_with_its_place(tmp_path: Path) -> None:
    path, ran = own(tmp_path, "a network")
    file = ran.with_suffix(".py")
    file.write_text(file.read_text().replace("return self.layer", "raise SystemExit(3)\n        return self.layer"))
    with pytest.raises(InputError, match=r"mine\.py:Generator: SystemExit: 3 \(mine\.py, line \d+, in forward\)"):
        generate(path, Wanted(4), 0, tmp_path / "x.png", trust=True)

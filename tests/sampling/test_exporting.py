"""An exported generator gives what the checkpoint's own gives, whatever it is built of and however many at a time."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline import games
from pipeline.games.game import Facts, Progress
from pipeline.sampling.exporting import export
from pipeline.sampling.gansweep_generator import CHUNK, FACTS, PROGRAM, Generator
from pipeline.schema.trial import TrialSpec
from pipeline.training.making import sampled
from pipeline.training.store import DamagedCheckpoint, load
from tests.sampling.test_generating import CLASSES, checkpoint
from tests.training.toy import run

OWN = """
import torch
from torch import nn
from pipeline.games import latent
from pipeline.games.game import Losses, Plain

class Tiny(Plain):
    protocol = 2
    stackable = True

    def __init__(self, spec, data, seed):
        self.latent, self.shape = spec.latent, data.shape
        self.generator, self.discriminator = nn.Linear(spec.latent.size, 64), nn.Linear(64, 1)

    def inputs(self, count, randomness, batch):
        return latent.draw(self.latent, count, randomness)

    def generate(self, generator, inputs, draw):
        return generator(inputs).tanh().view(-1, *self.shape)

    def discriminator_loss(self, discriminator, turn):
        real, fake = (discriminator(x.flatten(1)).squeeze(1) for x in (turn.real, turn.fake.detach()))
        return Losses({"hinge": (1 - real).relu() + (1 + fake).relu()}, {"samples": (real, fake)})

    def generator_loss(self, generator, discriminator, turn):
        return Losses({"hinge": -discriminator(turn.fake.flatten(1)).squeeze(1)})
"""


def both(path: Path, folder: Path, count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Samples of the exported generator and of the checkpoint's own for the same inputs."""
    names = export(path, folder, trust=True).keys()
    content = load(path)
    spec = TrialSpec.model_validate(content["spec"])
    game = games.build(
        spec, Facts(content["state"]["kind"], tuple(content["shape"]), tuple(content["state"]["classes"])), 0
    )
    game.generator.load_state_dict(content["state"]["ema"])
    random = torch.Generator().manual_seed(3)
    latents, labels = torch.randn(count, spec.latent.size, generator=random), torch.arange(count) % CLASSES
    conditional = "label" in names
    given = {"latent": latents.numpy(), "label": labels.numpy()} if conditional else latents.numpy()
    fed: Any = {"latent": latents} | ({"label": labels} if conditional else {})
    fed = fed if spec.game.name == "adversarial" else latents
    progress = Progress(content["state"]["step"], content["state"]["images"], spec.budget.images)
    own = sampled(game, game.generator, fed, spec, progress)["samples"]
    return Generator(folder).predict(given), own.numpy()


@pytest.mark.parametrize("norm", ["none", "batch", "instance", "layer", "spectral", "conditional_batch"])
def test_of_every_norm_it_gives_the_same(tmp_path: Path, norm: str) -> None:
    network = {"network": "dcgan", "width": 8, "depth": 2, "norm": norm}
    path = checkpoint(tmp_path, conditional=norm == "conditional_batch", generator=network)
    exported, own = both(path, tmp_path / "out", 5)
    np.testing.assert_allclose(exported, own, atol=1e-5)


OF_FAMILIES: dict[str, dict[str, Any]] = {
    "resnet": {"norm": "conditional_batch", "attention": 8, "skip_latent": True},
    "r3gan": {},
    "sndcgan": {},
    "infogan": {"units": 8},
    "progressive": {},
    "stylegan2": {"mapping_depth": 2},
}


@pytest.mark.parametrize("family", OF_FAMILIES)
def test_of_every_family_it_gives_the_same(tmp_path: Path, family: str) -> None:
    path = checkpoint(tmp_path, True, generator={"network": family, "width": 8} | OF_FAMILIES[family])
    exported, own = both(path, tmp_path / "out", 5)
    np.testing.assert_allclose(exported, own, atol=1e-5)


@pytest.mark.parametrize("count", [1, CHUNK + 1])
def test_of_any_number_of_samples(tmp_path: Path, count: int) -> None:
    exported, own = both(checkpoint(tmp_path, conditional=True), tmp_path / "out", count)
    assert exported.shape == (count, 1, 8, 8)
    np.testing.assert_allclose(exported, own, atol=1e-5)
    generator = Generator(tmp_path / "out")
    nothing = generator.predict({"latent": np.zeros((0, 6)), "label": np.zeros(0)})
    assert nothing.shape == (0, 1, 8, 8)
    with pytest.raises(ValueError, match="label: valid: 0 to 9"):
        generator.predict({"latent": np.zeros((1, 6)), "label": np.array([10])})


def test_of_points_and_of_a_game_of_ones_own(tmp_path: Path) -> None:
    list(run(tmp_path / "ring"))
    path = sorted((tmp_path / "ring" / "checkpoints").glob("*.pt"))[-1]
    exported, own = both(path, tmp_path / "points", 7)
    assert exported.shape == (7, 2)
    np.testing.assert_allclose(exported, own, atol=1e-5)
    (tmp_path / "tiny.py").write_text(OWN)
    path = checkpoint(tmp_path / "own", False, game={"name": f"{tmp_path / 'tiny.py'}:Tiny"})
    exported, own = both(path, tmp_path / "out", 3)
    np.testing.assert_allclose(exported, own, atol=1e-5)
    facts = json.loads((tmp_path / "out" / FACTS).read_text())
    assert (facts["classes"], facts["latent"], facts["synthetic"]) == (0, [6], True)


def test_nothing_of_this_machine_is_in_it(tmp_path: Path) -> None:
    export(checkpoint(tmp_path, conditional=True), tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out" / PROGRAM) as program:
        content = b"".join(program.read(name) for name in program.namelist())
    for place in (Path(__file__).resolve().parents[2], tmp_path):
        assert str(place).encode() not in content


def test_a_damaged_checkpoint_is_no_model(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, conditional=False)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedCheckpoint):
        export(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()

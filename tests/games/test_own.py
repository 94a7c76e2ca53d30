"""A game of the user's own: the example of docs/own-parts.md, and what gansweep conform says of ones that are wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.conformance.checks import TOY, conform
from pipeline.conformance.preflight import preflight
from pipeline.conformance.probe import probe
from pipeline.errors import InputError
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec, resolve
from tests.conformance.test_training import data

ROOT = Path(__file__).resolve().parents[2]
JUDGED = ', judged={"samples": (-real, -fake)})'


def example() -> str:
    """The game of docs/own-parts.md."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "own-parts.md").read_text(), re.DOTALL)
    (found,) = (block for block in blocks if "class MyGame" in block)
    return str(found)


def spec_of(folder: Path, text: str, **changes: Any) -> TrialSpec:
    (folder / "my_gan.py").write_text(text)
    game = {"name": f"{folder / 'my_gan.py'}:MyGame", "options": {"margin": 0.1}} | changes
    return resolve(parse(TrialSpec, TOY | {"game": game, "batch_size": 16}, "x"), cuda=False)


def wrong(folder: Path, text: str) -> dict[str, str]:
    return {found.name: found.wrong for found in conform(spec_of(folder, text)) if found.wrong is not None}


def test_the_example_of_the_docs_is_short_and_conforms(tmp_path: Path) -> None:
    assert len(example().splitlines()) <= 40
    found = list(conform(spec_of(tmp_path, example())))
    assert [check.wrong for check in found] == [None] * 7


def test_a_game_that_is_there_conforms() -> None:
    spec = parse(TrialSpec, TOY | {"regularisers": {"r1": {}, "lecam": {"start": 0}}, "batch_size": 16}, "x")
    assert [check.wrong for check in conform(resolve(spec, cuda=False))] == [None] * 7


@pytest.mark.parametrize(
    ("there", "instead", "check", "said"),
    [
        ("def inputs", "def outputs", "builds", "has no inputs; a game has generator, "),
        ('options["margin"]', 'options["marge"]', "builds", "KeyError: 'marge' (my_gan.py, line 18, in __init__)"),
        (
            "return generator(inputs)",
            "return generator(inputs)[:, 0]",
            "shapes",
            "sample() returned a tensor of (16, 8, 8); valid: a tensor of (16, 1, 8, 8)",
        ),
        (
            JUDGED,
            ', judged={"samples": (real.mean(), fake.mean())})',
            "shapes",
            "the real scores of samples are a tensor of (); valid: a tensor (b",
        ),
        (
            'return Losses({"energy": self.energy(discriminator',
            'return ({"energy": self.energy(discriminator',
            "shapes",
            "generator_loss() returned {energy: a tensor of (16,)}; valid: Losses({name: tensor})",
        ),
        (
            'Losses({"energy": real + (self.margin - fake).relu()}',
            "Losses({}",
            "shapes",
            "returned Losses({}); valid: Losses({name",
        ),
        (
            "    def inputs",
            "    def intervals(self, side):\n        return {'gap': 0}\n\n    def inputs",
            "shapes",
            "intervals() of the generator returned {'gap': 0}; valid: {term: whole number from 1 on}",
        ),
        (
            "    def inputs",
            "    def advance(self, side, losses, turn):\n        pass\n\n    def inputs",
            "shapes",
            "advance() returned something else; valid: what auxiliary() has: {}",
        ),
        (
            "    def inputs",
            "    def auxiliary(self, side, device):\n        return {'ema': 0.0}\n\n    def inputs",
            "shapes",
            "auxiliary() returned something else than {part: {name: tensor}}",
        ),
        (JUDGED, ")", "shapes", "judged is {}; valid: {name: (real scores, fake scores)}"),
        (
            JUDGED,
            JUDGED[:-1] + ', measurements={"gap": 1.0})',
            "shapes",
            "the measurement gap is float; valid: a tensor",
        ),
        (
            "protocol = 2",
            "protocol = 1",
            "builds",
            "was written for version 1 of the game protocol, this gansweep plays ve",
        ),
        (
            "    protocol = 2",
            "    other = 2",
            "builds",
            "version 2: the class says `protocol = 2`, is made as (spec, data, se",
        ),
        (
            "    def inputs",
            "    def groups(self, side):\n        from pipeline.games.game import Group\n        "
            "return {side: Group([])}\n\n    def inputs",
            "shapes",
            "groups() of the generator lists 0 of ",
        ),
        ("turn.fake.detach()", "turn.fake", "finite gradients", "gives the generator a gradient: use turn.fake.detach"),
        (".square().mean(1)", ".square().mean(1).sub(9).sqrt()", "finite gradients", "a gradient that is not finite"),
        (
            "return latent.draw(self.latent, count, randomness)",
            "return torch.randn(count, self.latent.size)",
            "no hidden state",
            "draws from torch's global generator",
        ),
        (
            "torch.manual_seed(seed)",
            "torch.seed()",
            "no hidden state",
            "of the discriminator are not decided by `seed`",
        ),
        (
            "torch.manual_seed(seed)",
            "torch.manual_seed(7)",
            "no hidden state",
            "of the discriminator are the same for each `seed`",
        ),
        (
            "nn.ReLU()",
            "nn.BatchNorm1d(32)",
            "losses are functions (if stackable)",
            "is stackable, but a forward pass of the discriminator changes its buffer 2.running_mean",
        ),
        (
            "return (discriminator(x)",
            "return (discriminator(x).detach()",
            "finite gradients",
            "discriminator_loss() gives the discriminator no gradient: something on the way is detached",
        ),
        (
            "        real, fake = self.energy",
            "        raise SystemExit(0)\n        real, fake = self.energy",
            "shapes",
            "SystemE",
        ),
        (
            'return Losses({"energy": self.energy(discriminator, turn.fake)})',
            'return Losses({"energy": self.energy(self.discriminator, turn.fake)})',
            "losses are functions (if stackable)",
            "does not go by the networks it is given",
        ),
        ("self.energy(discriminator, turn.fake)})", "0 * self.energy(discriminator, turn.fake)})", "trains", "the gen"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, there: str, instead: str, check: str, said: str) -> None:
    text = example()
    assert text.count(there) >= 1
    found = wrong(tmp_path, text.replace(there, instead))
    assert said in found[check]


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("turn.fake.detach()", "turn.fake", "discriminator_loss() gives the generator a gradient: use turn.fake.de"),
        (
            JUDGED,
            ', judged={"samples": (real.mean(), fake.mean())})',
            "discriminator_loss(): the real scores of samples are a tensor of (); v",
        ),
        (
            "    def inputs",
            "    def constrain(self, side, all):\n        1 / 0\n\n    def inputs",
            "ZeroDivisionError: divis",
        ),
    ],
)
def test_a_sweep_a_run_and_a_dry_run_begin_with_a_look_at_the_game(
    tmp_path: Path, there: str, instead: str, said: str
) -> None:
    spec = spec_of(tmp_path, example().replace(there, instead))
    asked = "fid", tmp_path / "cache", None
    for look in (lambda: preflight([spec], *asked[1:]), lambda: probe(spec, *asked, [spec])):
        with pytest.raises(InputError) as error:
            look()
        assert str(error.value).startswith(f"game: {tmp_path}/my_gan.py:MyGame, non_saturating: {said}")
        assert str(error.value).endswith("; see: gansweep conform")


COUNTED = """
    def constrain(self, side, parameters):
        self.calls = getattr(self, "calls", 0) + 1
        for parameter in parameters:
            parameter.data.mul_(1 - 0.01 * self.calls)

    def inputs"""


def test_state_that_is_kept_beside_the_networks_is_found(tmp_path: Path) -> None:
    """In an attribute: what grows with each loss, and what changes the networks by the step, lost in a resume."""
    text = example().replace(
        "        real, fake = self.energy", "        self.margin += 1\n        real, fake = self.energy"
    )
    found = wrong(tmp_path, text.replace("real + (self.margin - fake).relu()", "real + fake * self.margin"))
    assert found == {"no hidden state": "gives other losses for the same networks, batch and randomness"}
    found = wrong(tmp_path, example().replace("\n    def inputs", COUNTED))
    assert "of a resumed run is another: keep what changes in buffers" in found["resumes to the bit"]


def test_what_is_wrong_at_the_ground_is_said_once(tmp_path: Path) -> None:
    """Not again in each check that trains or compares."""
    for there, instead in ((JUDGED, ")"), (".square().mean(1)", ".square().mean(1).sub(9).sqrt()")):
        assert len(wrong(tmp_path, example().replace(there, instead))) == 1


def test_an_objective_of_your_own(tmp_path: Path) -> None:
    from pipeline.training.state import initial
    from pipeline.training.step import step

    (tmp_path / "mine.py").write_text(
        "from pipeline.games.objectives import Objective\n"
        "of_d = lambda real, fake: (real - 2).square() + fake.square()\n"
        "mine = Objective(of_d, lambda real, fake: (fake - 2).square())\n"
        "other = 3\n"
    )
    name = f"{tmp_path / 'mine.py'}:mine"
    spec = resolve(parse(TrialSpec, TOY | {"game": {"objective": name}, "batch_size": 16}, "x"), cuda=False)
    state = initial(spec, data("digits"), seed=1)
    measured = step(state, state.batches.next(state.randomness), state.randomness)
    assert 1 < float(measured["loss_d"]) < 20
    with pytest.raises(InputError, match=r"other\" is int; valid: an Objective"):
        initial(
            spec.model_copy(
                update={"game": spec.game.model_copy(update={"objective": name.replace(":mine", ":other")})}
            ),
            data("digits"),
            1,
        )


@pytest.mark.parametrize(
    ("game", "line"),
    [
        ({"name": "adverserial"}, 'game.name: found "adverserial", did you mean "adversarial"? (valid: adversarial, '),
        ({"objective": "hing"}, 'game.objective: found "hing", did you mean "hinge"? (valid: minimax, '),
        ({"options": {"margin": 1.0}}, "game: options: found margin with adversarial; valid: with a game of your own"),
    ],
)
def test_names_that_are_not_there(game: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as error:
        parse(TrialSpec, TOY | {"game": game}, "x")
    assert str(error.value).startswith(f"x: {line}")

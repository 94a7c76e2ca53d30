"""Networks, loss terms and metrics of the user's own: through training and conform, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.conformance.checks import KINDS, TOY, conform
from pipeline.conformance.preflight import preflight
from pipeline.data.batches import to_float
from pipeline.errors import InputError
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, OwnMetricSpec, TrialSpec, resolve
from pipeline.space.check import to_build
from pipeline.space.load import load, load_trial
from pipeline.training.loop import Task, training
from pipeline.training.state import initial
from pipeline.training.store import Store
from tests.conformance.test_training import OWN, data
from tests.games.test_adversarial import POINTS, make, some, turn
from tests.test_docs import ROOT, blocks
from tests.training import toy

GOOD = [
    ("generator", "Generator"),
    ("discriminator", "Discriminator"),
    ("objective", "quadratic"),
    ("regulariser", "drift"),
    ("regulariser", "slow"),
    ("metric", "mean_distance"),
    ("metric", "spread"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def spec_of(kind: str, name: str, **changes: Any) -> TrialSpec:
    return resolve(parse(TrialSpec, TOY | {"batch_size": 16} | KINDS[kind](name) | changes, "x"), cuda=False)


@pytest.mark.parametrize(("kind", "name"), GOOD)
def test_the_examples_conform(kind: str, name: str) -> None:
    found = list(conform(spec_of(kind, f"{OWN}:{name}")))
    assert [check.wrong for check in found] == [None] * (8 if kind == "metric" else 7)


DOCUMENTED = {
    "generator": "Generator",
    "discriminator": "Discriminator",
    "objective": "quadratic",
    "regulariser": "drift",
    "metric": "spread",
}


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_the_parts_of_the_docs_conform(kind: str, tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text(blocks(ROOT / "docs" / "own-parts.md", "python")[1])
    found = list(conform(spec_of(kind, f"{tmp_path}/parts.py:{DOCUMENTED[kind]}")))
    assert [check.wrong for check in found] == [None] * (8 if kind == "metric" else 7)


def test_the_data_and_features_of_the_docs_are_taken(tmp_path: Path) -> None:
    """The space that names them, and a table in place of its digits."""
    (tmp_path / "parts.py").write_text(blocks(ROOT / "docs" / "own-parts.md", "python")[1])
    (tmp_path / "x.yaml").write_text(
        blocks(ROOT / "docs" / "own-parts.md", "yaml")[0].replace('"parts.py', f'"{tmp_path}/parts.py')
    )
    preflight(to_build(load(str(tmp_path / "x.yaml")).space), tmp_path, None)
    table = resolve(parse(TrialSpec, TOY | {"data": {"name": f"{tmp_path}/parts.py:table"}}, "x"), cuda=False)
    preflight([table], tmp_path, None)


def test_terms_of_ones_own_are_the_formulas_times_their_weight() -> None:
    own = {
        "far": {"name": f"{OWN}:drift", "weight": 3.0, "interval": 4, "options": {"factor": 0.5}},
        "slow": {"name": f"{OWN}:slow", "weight": 2.0, "options": {"decay": 0.75}},
    }
    game = make(POINTS, regularisers={"own": own, "r1": {}})
    assert game.intervals("discriminator") == {"r1": 1, "own.far": 4, "own.slow": 1}
    real, fake = some(game, POINTS)
    state = game.auxiliary("discriminator", real.device)
    assert state.keys() == {"own.slow"}
    state["own.slow"]["mean"] = torch.tensor(0.5)
    at = replace(
        turn(game, real, fake, due={"own.far": 4.0, "own.slow": 1.0}),
        auxiliary={"discriminator": state, "generator": {}},
    )
    losses = game.discriminator_loss(game.discriminator, at)
    scores, _ = losses.judged["samples"]
    torch.testing.assert_close(losses.terms["own.far"], 4 * 3 * 0.5 * scores**2)
    torch.testing.assert_close(losses.terms["own.slow"], 2 * (scores - 0.5) ** 2)
    after = game.advance("discriminator", losses, at)
    assert float(after["own.slow"]["mean"]) == pytest.approx(0.75 * 0.5 + 0.25 * float(scores.detach().mean()))


def test_the_seed_alone_decides_the_weights_of_a_network_of_ones_own() -> None:
    spec = spec_of("discriminator", f"{OWN}:Discriminator")
    one = initial(spec, data("digits"), seed=1).game.discriminator.state_dict()
    torch.manual_seed(99)
    before = torch.get_rng_state()
    same = initial(spec, data("digits"), seed=1).game.discriminator.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    other = initial(spec, data("digits"), seed=2).game.discriminator.state_dict()
    assert toy.same(one, same)
    assert not toy.same(one, other)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_metrics_of_ones_own_are_of_samples_and_features(tmp_path: Path, part: Any) -> None:
    own = {
        "apart": OwnMetricSpec(name=f"{OWN}:mean_distance", minimise=True),
        "spread": OwnMetricSpec(name=f"{OWN}:spread", minimise=False),
    }
    evaluator = Evaluator.open(DataSpec(name="ring8"), Asked(500, own=own), tmp_path, None, "cpu")
    fakes = to_float(evaluator.dataset.train[:500]) + torch.tensor([3.0, 4.0])
    metrics, _, _ = evaluator.evaluate(fakes, part)
    real = evaluator.dataset.part(part)[:500]
    assert metrics["apart"] == pytest.approx(float((fakes.mean(0) - real.mean(0)).norm()), rel=1e-5)
    assert metrics["spread"] == pytest.approx(float(fakes.std() / real.std()), rel=1e-5)
    assert {"modes", "reverse_kl", "sliced_wasserstein"} < metrics.keys()


@pytest.mark.parametrize(("name", "minimise"), [("apart", True), ("spread", False)])
def test_it_decides_the_best_checkpoint_and_resumes_to_the_bit(tmp_path: Path, name: str, minimise: bool) -> None:
    function = {"apart": "mean_distance", "spread": "spread"}[name]
    own = {name: {"name": f"{OWN}:{function}", "minimise": minimise}}
    evaluation = {"every": toy.EVERY, "samples": 200, "metrics": own}
    spec = toy.spec(evaluation=evaluation)
    evaluator = Evaluator.open(spec.data, Asked(200, own=spec.evaluation.metrics), tmp_path, None, "cpu")

    def run(folder: str) -> Any:
        return training(Task(spec, 1, name), evaluator, Store(tmp_path / folder))

    whole = list(run("whole"))
    best = (min if minimise else max)(whole, key=lambda m: m.metrics[name])
    assert toy.last_state(tmp_path / "whole")["best"] == {"value": best.metrics[name], "images": best.images}
    cut = run("cut")
    seen = [toy.facts(next(cut)) for _ in range(2)]
    assert seen[:-1] + [toy.facts(m) for m in run("cut")] == [toy.facts(m) for m in whole]


SPACE = f"""
data: {{name: digits}}
objective: spread
budget: {{images: 4_000}}
evaluation: {{every: 1_000, samples: 100, metrics: {{spread: {{name: "{OWN}:spread", minimise: false}}}}}}
generator: {{network: "own_parts.py:Generator", options: {{width: {{choice: [8, 16]}}}}}}
discriminator: {{network: {{choice: [mlp, "{OWN}:Discriminator"]}}}}
optimiser: {{lr_g: {{log: [1e-4, 1e-2]}}}}
regularisers: {{own: {{drift: {{name: "own_parts.py:drift", weight: {{log: [0.001, 1]}}}}}}}}
known_good: [{{generator.options.width: 8, discriminator.network: "{OWN}:Discriminator", optimiser.lr_g: 1e-3,
  regularisers.own.drift.weight: 0.01}}]
"""


def test_a_space_names_parts_by_absolute_paths_and_searches_their_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.yaml").write_text(SPACE)
    monkeypatch.chdir(OWN.parent)
    file = load(str(tmp_path / "x.yaml"))
    keys = ["generator.options.width", "discriminator.network", "regularisers.own.drift.weight", "optimiser.lr_g"]
    assert sorted(p.key for p in file.space.parameters()) == sorted(keys)
    assert file.tree["generator"]["network"] == f"{OWN}:Generator"
    assert file.tree["regularisers"]["own"]["drift"]["name"] == f"{OWN}:drift"
    assert file.metric.minimise is False
    spec, _, _ = load_trial(str(tmp_path / "x.yaml"))
    assert spec.discriminator.network == f"{OWN}:Discriminator"
    monkeypatch.chdir(tmp_path)
    preflight([spec], tmp_path, None)


WRONG = """
import torch
from torch import nn
from pipeline.games.regularisers import Regulariser
class Flat(nn.Module):
    def __init__(self, latent_size, classes, shape):
        super().__init__()
        self.layer = nn.Linear(latent_size, 5)
    def forward(self, inputs):
        return self.layer(inputs)
def nothing(*arguments): return 3
def empty(*arguments): return nn.Identity()
def word(evaluated): return "good"
def pair(seen, options): return torch.zeros(3, 2)
def still(seen, options): return seen.real_scores.detach().square()
def drawn(evaluated): return float(torch.rand(()))
number = 3
forgets = Regulariser(pair, ("mean",))
"""


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [
        ("generator", "Flat", r'generator.network: ".*:Flat": forward\(\) returned a tensor of \(2, 5\); valid: a ten'),
        ("generator", "nothing", r'generator.network: ".*:nothing" gives a int; valid: a torch.nn.Module'),
        ("discriminator", "empty", r'discriminator.network: ".*:empty" has no parameters; valid: a module that can'),
        ("discriminator", "number", r'discriminator.network: ".*:number" cannot be built: TypeError: \'int\' object'),
        ("discriminator", "Flt", r'Flt": mine.py has no "Flt", did you mean "Flat"'),
        ("regulariser", "pair", r'regularisers.own.mine: ".*:pair" returned a tensor of \(3, 2\); valid: a tensor of'),
        ("regulariser", "number", r'regularisers.own.mine: ".*:number" is a int; valid: a function of \(seen, options'),
        (
            "regulariser",
            "forgets",
            r'regularisers.own.mine: ".*:forgets" has the state mean and no advance; valid: a f',
        ),
        ("metric", "word", r'evaluation.metrics.mine: ".*:word" returned a str; valid: a number'),
        ("metric", "number", r'evaluation.metrics.mine: ".*:number" is a int; valid: a function of what is evaluated'),
        ("game", "Flat", r"game: .*mine.py:Flat, non_saturating: TypeError: .*; see: gansweep conform"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_trained(
    tmp_path: Path, cache: Path, kind: str, name: str, line: str
) -> None:
    (tmp_path / "mine.py").write_text(WRONG)
    with pytest.raises(InputError, match=line) as error:
        preflight([spec_of(kind, f"{tmp_path}/mine.py:{name}")], cache, None)
    assert "\n" not in str(error.value)


def test_a_metric_that_says_nothing_does_not_conform(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WRONG)
    (found,) = (c for c in conform(spec_of("metric", f"{tmp_path}/mine.py:drawn")) if c.name == "metric mine")
    assert found.wrong is not None
    assert "for real samples and for empty ones" in found.wrong


def test_a_term_without_a_gradient_does_not_conform(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(WRONG)
    found = list(conform(spec_of("regulariser", f"{tmp_path}/mine.py:still")))[-1]
    assert found.name == "finite gradients"
    assert (
        found.wrong == "regularisers.own.mine gives the discriminator no gradient in its first step: it changes nothing"
    )


def test_frozen_blocks_conform(tmp_path: Path) -> None:
    state = initial(spec_of("regulariser", f"{OWN}:drift"), data("digits"), seed=1)
    content = {"state": state.tensors(), "spec": state.spec.model_dump(mode="json")}
    path = tmp_path / Store(tmp_path).save(0, content)
    spec = spec_of("regulariser", f"{OWN}:drift", init_from={"path": str(path), "freeze_discriminator": 1})
    assert [check.wrong for check in conform(spec)] == [None] * 7
    preflight([spec], tmp_path, None)


@pytest.mark.parametrize(
    ("there", "instead", "line"),
    [
        ("objective: spread", "objective: sprad", 'objective: found "sprad", did you mean "spread"? (valid: fid, '),
        ("minimise: false", "minimize: false", "evaluation.metrics.spread.minimise: missing; it must be given"),
        (", minimise: false", "", "evaluation.metrics.spread.minimise: missing; it must be given"),
        ("{spread: {name", "{fid: {name", 'evaluation.metrics: found the name "fid"; valid: small letters, digits'),
        ("weight: {log: [0.001, 1]}", "weight: 0", "regularisers.own.drift.weight: found 0; valid: greater than 0"),
        (
            'name: "own_parts.py:drift"',
            "name: drift",
            'regularisers.own.drift.name: found "drift"; valid: "file.p',
        ),
        ("options: {width", "option: {width", 'generator.option: unknown key "option", did you mean "options"?'),
        ("Generator", "Generator.x", "generator.network: found "),
    ],
)
def test_a_wrong_file(tmp_path: Path, there: str, instead: str, line: str) -> None:
    assert there in SPACE
    (tmp_path / "x.yaml").write_text(SPACE.replace(there, instead, 1).partition("known_good")[0])
    with pytest.raises(InputError) as error:
        load(str(tmp_path / "x.yaml"))
    assert str(error.value).removeprefix(f"{tmp_path}/").startswith(f"x.yaml: {line}")
    assert "\n" not in str(error.value)

"""Data of two domains, both sides' lazy terms and state, noise and progress in generating: each is carried."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.conformance.checks import conform
from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.games.game import Progress
from pipeline.metrics.evaluation import Evaluation
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.record.measurement import Measurement
from pipeline.schema.trial import DataSpec, TrialSpec
from pipeline.training.loop import Task, training
from pipeline.training.making import sampled
from pipeline.training.state import initial
from pipeline.training.store import Store
from tests.training.toy import facts, last_state, same

FILE = Path(__file__).with_name("two_domains.py")
OBJECTIVE = "sliced_wasserstein.b"
TREE: dict[str, Any] = {
    "data": {"name": f"{FILE}:blobs"},
    "budget": {"images": 6400},
    "evaluation": {"every": 1600, "samples": 200},
    "game": {"name": f"{FILE}:Carry"},
    "generator": {"network": "mlp"},
    "discriminator": {"network": "mlp"},
    "optimiser": {"lr_g": 1e-2, "lr_d": 1e-2, "discriminator_steps": 2},
    "ema": {"half_life": 100.0},
    "batch_size": 32,
    "device": "cpu",
    "precision": "fp32",
    "memory_format": "contiguous",
}
SPEC = TrialSpec.model_validate(TREE)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return Evaluator.open(SPEC.data, Asked(200), tmp_path_factory.mktemp("cache"), None, "cpu")


@pytest.fixture(scope="module")
def whole(evaluator: Evaluator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Measurement]]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, list(training(Task(SPEC, 1, OBJECTIVE), evaluator, Store(folder)))


def test_it_conforms() -> None:
    assert [check.wrong for check in conform(SPEC)] == [None] * 7


def test_each_way_is_measured_against_its_own_domain(whole: tuple[Path, list[Measurement]]) -> None:
    """A distance of 2 at the start, between the blobs; carried over it is that of a blob to itself."""
    folder, found = whole
    assert found[0].metrics.keys() == {"sliced_wasserstein.a", "sliced_wasserstein.b"}
    for name in found[-1].metrics:
        assert found[0].metrics[name] > 3 * found[-1].metrics[name]
    signals = found[-1].signals
    for signal in ("diversity_ratio", "sample_variance_ratio"):
        assert signals[signal] == min(signals[f"{signal}.a"], signals[f"{signal}.b"])
    assert 0 <= signals["discriminator_win_rate"] <= 1
    assert 0 <= signals["discriminator_overfit"] <= 1
    pictures = sorted(path.name for path in (folder / "samples").glob("*1600*"))
    assert pictures == ["images-000000001600-to_a.png", "images-000000001600-to_b.png"]


def test_floors_and_what_was_read_are_of_both(evaluator: Evaluator) -> None:
    said = evaluator.summary()
    assert said["floor"].keys() == said["floor_spread"].keys() == {"sliced_wasserstein.a", "sliced_wasserstein.b"}
    assert said["data"]["domains"] == ["a", "b"]
    assert said["data"]["read"].count("1,000 points") == 2


def test_the_generators_lazy_term_and_state_go_by_its_own_steps(whole: tuple[Path, list[Measurement]]) -> None:
    """100 steps of G, of which each third has the term; lazy terms are multiplied by their interval."""
    folder, found = whole
    state = last_state(folder)
    assert float(state["auxiliary"]["generator"]["cycle"]["count"]) == -(-(state["step"] // 2) // 3)
    assert "loss_g.cycle" in found[-1].signals
    assert found[0].signals["game.cycles"] < found[-1].signals["game.cycles"]


def test_a_network_sees_the_progress(evaluator: Evaluator) -> None:
    """Its second stage is there from the start, at a rate of its own, and shows by what share of the budget is gone."""
    state = initial(SPEC, evaluator.dataset, 1)
    assert [group["lr"] for group in state.optimiser_g.param_groups] == [1e-2, 0.5e-2]
    inputs = {name: torch.zeros(4, 2) for name in "ab"}

    def at(share: float) -> Tensor:
        progress = Progress(images=int(share * 6400), budget=6400)
        return sampled(state.game, state.game.generator, inputs, SPEC, progress)["to_b"]

    assert not torch.equal(at(0.0), at(0.25))
    assert not torch.equal(at(0.25), at(0.5))
    assert torch.equal(at(0.5), at(1.0))


def test_each_domain_has_an_order_of_its_own(evaluator: Evaluator) -> None:
    state = initial(SPEC, evaluator.dataset, 1)
    batch = state.batches.next(torch.Generator().manual_seed(0))
    for name, samples in batch.items():
        assert all((state.batches.domains[name].samples == row).all(1).any() for row in samples)
    orders = [state.batches.state()[name]["order"] for name in batch]
    assert not torch.equal(*orders)


def test_a_cut_training_goes_on_to_the_bit(
    evaluator: Evaluator, whole: tuple[Path, list[Measurement]], tmp_path: Path
) -> None:
    cut = training(Task(SPEC, 1, OBJECTIVE), evaluator, Store(tmp_path))
    for _ in range(2):
        next(cut)
    again = [facts(m) for m in training(Task(SPEC, 1, OBJECTIVE), evaluator, Store(tmp_path))]
    assert again == [facts(m) for m in whole[1][1:]]
    assert same(last_state(tmp_path), last_state(whole[0]))


@pytest.mark.parametrize(
    ("made", "line"),
    [
        ("{'a': torch.zeros(200, 2)}", "returned the domains a; valid: two or more, named by letters and digits"),
        ("{'a.b': torch.zeros(200, 2), 'c': torch.zeros(200, 2)}", "returned the domains a.b, c; valid: two or more"),
        ("{'a': torch.rand(200, 2), 'b': torch.rand(200, 3)}", r"several shapes \(a \(2,\), b \(3,\)\); valid: one"),
    ],
)
def test_domains_that_cannot_be(tmp_path: Path, made: str, line: str) -> None:
    (tmp_path / "mine.py").write_text(f"import torch\ndef data(resolution): return {made}\n")
    with pytest.raises(InputError, match=line):
        load(DataSpec(name=f"{tmp_path / 'mine.py'}:data"), None, tmp_path)


def test_what_is_not_a_number_in_one_domain_is_the_worst_in_whatever_order(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = {"a": {"finite": 1.0, "diversity_ratio": math.nan}, "b": {"finite": 1.0, "diversity_ratio": 0.5}}
    for name, domain in evaluator.domains.items():
        monkeypatch.setattr(
            domain, "evaluate", lambda made, part, name=name: Evaluation({"fid": 1.0}, signals[name], {})
        )
    for order in (("to_a", "to_b"), ("to_b", "to_a")):
        samples = {name: torch.zeros(200, 2) for name in order}
        _, found, _ = evaluator.evaluate_all(samples, {"to_a": "a", "to_b": "b"})
        assert math.isnan(found["diversity_ratio"])
        assert found["diversity_ratio.b"] == 0.5

"""A run that starts from a checkpoint: what it takes, what it refuses, and blocks that are not trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.errors import InputError
from pipeline.schema.checkpoint import file_hash, find
from pipeline.schema.trial import TrialSpec
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from pipeline.training.store import Store
from pipeline.training.transfer import start_from
from tests.conformance.test_training import data, train
from tests.training import toy

TREE: dict[str, Any] = {
    "data": {"name": "digits"},
    "budget": {"images": 640},
    "evaluation": {"every": 320},
    "latent": {"size": 6},
    "generator": {"network": "dcgan", "width": 4, "depth": 2},
    "discriminator": {"network": "dcgan", "width": 4, "depth": 2, "norm": "none"},
    "ema": {"half_life": 100.0},
    "batch_size": 16,
    "device": "cpu",
    "precision": "fp32",
    "memory_format": "contiguous",
}


def started(path: Path | None, seed: int = 2, **changes: Any) -> TrainingState:
    origin = {} if path is None else {"init_from": {"path": str(path), **changes.pop("init_from", {})}}
    return initial(TrialSpec.model_validate(TREE | origin | changes), data("digits"), seed)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    state = started(None, seed=1)
    train(state)
    content = {"state": state.tensors(), "spec": state.spec.model_dump(mode="json")}
    return tmp_path / Store(tmp_path).save(state.images, content)


def saved(checkpoint: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(checkpoint, weights_only=True)["state"]
    return content


def test_the_generator_starts_from_the_average_and_everything_else_is_new(checkpoint: Path) -> None:
    there, state = saved(checkpoint), started(checkpoint)
    here = state.tensors()
    assert toy.same(here["generator"], there["ema"])
    assert toy.same(here["ema"], there["ema"])
    assert not toy.same(there["generator"], there["ema"])
    assert toy.same(here["discriminator"], there["discriminator"])
    assert (here["optimiser_g"]["state"], here["optimiser_d"]["state"], state.images, state.step) == ({}, {}, 0, 0)


@pytest.mark.parametrize("blocks", [1, 2])
def test_frozen_blocks_stay_as_they_were_to_the_bit(checkpoint: Path, blocks: int) -> None:
    state = started(checkpoint, init_from={"freeze_discriminator": blocks}, regularisers={"weight_clipping": {}})
    train(state)
    before, after = saved(checkpoint)["discriminator"], state.game.discriminator.state_dict()
    same = {name for name, value in after.items() if torch.equal(value, before[name])}
    assert same == {f"layers.{layer}.{part}" for layer in (0, 2)[:blocks] for part in ("weight", "bias")}
    assert len(state.optimiser_d.state_dict()["state"]) == 6 - 2 * blocks


def test_mlp_blocks_are_hidden_layers_from_the_data_up(tmp_path: Path) -> None:
    mlp = {"network": "mlp", "width": 8, "depth": 3, "norm": "layer", "dropout": 0.2}
    state = started(None, discriminator=mlp)
    blocks = state.game.discriminator.blocks()
    assert [[type(layer).__name__ for layer in block] for block in blocks] == [
        ["Linear", "LeakyReLU", "Dropout"],
        *[["Linear", "LayerNorm", "LeakyReLU", "Dropout"]] * 2,
    ]
    assert blocks[0][0].in_features == 64


def test_a_run_that_starts_from_a_checkpoint_resumes_to_the_bit_without_it(tmp_path: Path) -> None:
    first = list(toy.run(tmp_path / "first"))
    origin = tmp_path / "first" / str(first[-1].checkpoint)
    copy = tmp_path / "origin.pt"
    copy.write_bytes(origin.read_bytes())
    source = {"init_from": {"path": str(copy), "freeze_discriminator": 1, "hash": file_hash(copy)}}
    whole = [toy.facts(m) for m in toy.run(tmp_path / "whole", seed=5, **source)]
    cut = toy.run(tmp_path / "cut", seed=5, **source)
    seen = [toy.facts(next(cut)) for _ in range(2)]
    copy.unlink()
    again = [toy.facts(m) for m in toy.run(tmp_path / "cut", seed=5, **source)]
    assert seen[:-1] + again == whole
    assert toy.same(toy.last_state(tmp_path / "cut"), toy.last_state(tmp_path / "whole"))
    assert whole[0] != toy.facts(next(toy.run(tmp_path / "new", seed=5)))


def test_partial_takes_what_fits_and_says_what_does_not(checkpoint: Path) -> None:
    wider = {"discriminator": TREE["discriminator"] | {"minibatch": "stddev"}, "latent": {"size": 7}}
    spec = TrialSpec.model_validate(TREE | wider | {"init_from": {"path": str(checkpoint), "partial": True}})
    state = initial(spec, data("digits"), seed=2)
    drawn = started(None, seed=2, **wider).tensors()
    there, here = saved(checkpoint), state.tensors()
    assert torch.equal(here["discriminator"]["layers.0.weight"], there["discriminator"]["layers.0.weight"])
    wide = next(name for name, weight in here["discriminator"].items() if weight.dim() == 4 and weight.shape[1] == 5)
    assert torch.equal(here["discriminator"][wide], drawn["discriminator"][wide])
    assert torch.equal(here["generator"]["project.weight"], drawn["generator"]["project.weight"])
    left = start_from(state.game, spec)
    assert left[0] == "generator.project.weight"
    assert f"discriminator.{wide}" in left


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"latent": {"size": 7}},
            r"does not fit: generator.project.weight is \(32, 6\) in it and \(32, 7\) here; valid: the networks",
        ),
        (
            {"discriminator": TREE["discriminator"] | {"width": 8}},
            r"discriminator.layers.0.weight is \(4, 1, 4, 4\) in it and \(8, 1, 4, 4\) here, .*, and 2 more; valid",
        ),
        ({"generator": TREE["generator"] | {"norm": "none"}}, r"generator.layers.0.weight is only in it"),
        (
            {"generator": {"network": "mlp", "width": 4, "depth": 2}},
            r"another architecture: its generator.network is dcgan, here it is mlp; valid: a checkpoint of the same$",
        ),
        (
            {"init_from": {"hash": "0" * 16}},
            r"is not the checkpoint that was meant: its hash is [0-9a-f]{16}, not 0{16}",
        ),
        ({"init_from": {"freeze_discriminator": 3}}, r"found 3; the discriminator has 2 blocks, valid: 0 to 2"),
    ],
)
def test_what_is_refused(checkpoint: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as error:
        started(checkpoint, **changes)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("init_from.")


def test_partial_wants_more_than_what_fits_any_network(checkpoint: Path) -> None:
    """The bias of the one score, and the counts of batch norm, are of the same shape in networks of any width."""
    wider = {side: TREE[side] | {"width": 8} for side in ("generator", "discriminator")}
    with pytest.raises(InputError, match=r"nothing of the generator in .* fits one with network dcgan, width 8"):
        started(checkpoint, init_from={"partial": True}, **wider)


def test_partial_is_not_for_another_architecture(checkpoint: Path) -> None:
    mlp = {"network": "mlp", "width": 4, "depth": 2}
    with pytest.raises(InputError, match=r"another architecture: its discriminator.network is dcgan"):
        started(checkpoint, init_from={"partial": True}, discriminator=mlp)


def test_a_damaged_checkpoint_is_refused(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"init_from.path: .*damaged"):
        started(checkpoint)


def test_a_runs_folder_means_its_best_checkpoint(tmp_path: Path) -> None:
    measured = list(toy.run(tmp_path))
    best = min(measured, key=lambda m: m.metrics[toy.OBJECTIVE])
    assert find(tmp_path) == tmp_path / str(best.checkpoint)
    assert find(tmp_path / str(measured[-1].checkpoint)) == tmp_path / str(measured[-1].checkpoint)
    newest = tmp_path / str(measured[-1].checkpoint)
    newest.write_bytes(b"")
    assert find(tmp_path).name == Path(str(best.checkpoint)).name or best is measured[-1]


@pytest.mark.parametrize("made", [[], ["checkpoints"], ["checkpoints", "checkpoints/images-000000000320-0.pt"]])
def test_a_path_without_a_checkpoint(tmp_path: Path, made: list[str]) -> None:
    for name in made:
        (tmp_path / name).mkdir() if "." not in name else (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=r"no checkpoint and no folder of a run|has no checkpoint that can be read"):
        find(tmp_path)


def test_the_average_that_was_taken_over_is_kept_in_the_first_steps(checkpoint: Path) -> None:
    """A run of its own begins with a short half-life, so that its average forgets where it began; not this one."""
    before, taken, new = saved(checkpoint)["ema"], started(checkpoint), started(None)
    fresh = {name: value.clone() for name, value in new.ema.state_dict().items()}
    for state in (taken, new):
        step(state, state.batches.next(state.randomness), state.randomness)
    name = next(name for name in before if name.endswith("weight"))
    kept = 0.5 ** (16 / 100)  # batch 16, half-life 100
    average = kept * before[name] + (1 - kept) * taken.game.generator.state_dict()[name]
    torch.testing.assert_close(taken.ema.state_dict()[name], average)
    raw = new.game.generator.state_dict()[name]
    assert (new.ema.state_dict()[name] - raw).abs().max() < 1e-3 * (fresh[name] - raw).abs().max()

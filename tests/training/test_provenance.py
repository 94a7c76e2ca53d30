"""Whose a checkpoint is: a run goes on from its own alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.errors import InputError
from pipeline.training.provenance import check_provenance, restore
from pipeline.training.reading import Saved, check_sizes
from pipeline.training.state import initial
from tests.training.toy import evaluator, run, spec


@pytest.mark.parametrize(
    ("seed", "changes", "said"),
    [
        (2, {}, "seed 1, not 2"),
        (1, {"optimiser": {"lr_g": 2e-3, "lr_d": 1e-3, "discriminator_steps": 3, "schedule": "linear"}}, "lr_g 0.001"),
        (1, {"regularisers": {"r1": {"weight": 0.2, "interval": 3}}}, "regularisers.r1.weight 0.1, not 0.2"),
        (1, {"regularisers": {}}, "regularisers.r1"),
        (1, {"game": {"objective": "hinge"}}, "game.objective non_saturating, not hinge"),
        (1, {"budget": {"images": 6400}}, "budget.images"),
        (1, {"data": {"name": "grid25"}}, "data.name ring8, not grid25"),
    ],
)
def test_a_run_does_not_go_on_from_what_another_one_left(
    tmp_path: Path, seed: int, changes: dict[str, Any], said: str
) -> None:
    first = next(run(tmp_path, 1))
    assert first.checkpoint is not None
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.pt")}
    with pytest.raises(InputError, match="is a checkpoint of another run") as caught:
        next(run(tmp_path, seed, **changes))
    assert said in str(caught.value)
    assert str(tmp_path / first.checkpoint) in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pt")} == kept


def test_a_checkpoint_of_before_seeds_were_kept_is_taken_by_its_spec(tmp_path: Path) -> None:
    first = next(run(tmp_path))
    assert first.checkpoint is not None
    content = torch.load(tmp_path / first.checkpoint, weights_only=True)
    del content["seed"]
    check_provenance(tmp_path / first.checkpoint, content, spec(), 7)
    with pytest.raises(InputError, match="batch_size 32, not 16"):
        check_provenance(tmp_path / first.checkpoint, content, spec(batch_size=16), 1)


@pytest.mark.parametrize(
    ("was", "now", "same"),
    [
        ("imagefolder:/old disk/photos", "imagefolder:/home/me/photos", True),
        ("imagefolder:/old/photos", "imagefolder:/new/pictures", True),  # their fingerprint is looked at elsewhere
        ("/old/mine.py:rows", "/new/place/mine.py:rows", True),
        ("imagefolder:/old/photos", "digits", False),
    ],
)
def test_what_moved_is_still_the_same(was: str, now: str, same: bool) -> None:
    mlp = {"network": "mlp", "width": 8, "depth": 1}
    more = {"generator": mlp, "discriminator": mlp, "regularisers": {}}
    data = {"resolution": 8}
    content = {"spec": spec(data={"name": was, **data}, **more).model_dump(mode="json"), "seed": 1}
    other = spec(data={"name": now, **data}, **more)
    if same:
        check_provenance(Path("some.pt"), content, other, 1)
    else:
        with pytest.raises(InputError, match=r"data\.name"):
            check_provenance(Path("some.pt"), content, other, 1)


def test_a_checkpoint_of_before_stddev_was_taken_in_groups_says_so(tmp_path: Path) -> None:
    """Its deviation was one feature more of the head; now it is one more of the last block's inputs."""
    stddev = {"discriminator": {"network": "mlp", "width": 8, "depth": 2, "minibatch": "stddev"}}
    first = next(run(tmp_path, **stddev))
    assert first.checkpoint is not None
    path = tmp_path / first.checkpoint
    content = torch.load(path, weights_only=True)
    weights = content["state"]["discriminator"]
    last = [name for name, value in weights.items() if value.dim() == 2 and value.shape[1] == 9]
    assert len(last) == 1
    weights[last[0]] = weights[last[0]][:, :8].clone()
    weights["head.score.weight"] = torch.zeros(1, 9)
    state = initial(spec(**stddev), evaluator().dataset, 1)
    with pytest.raises(InputError, match="of before, when minibatch stddev came after the last block") as caught:
        restore(state, path, content)
    assert "\n" not in str(caught.value)
    torch.save(content, path)
    with pytest.raises(InputError, match="of before, when minibatch stddev came after the last block"):
        check_sizes(
            Saved(
                path, spec(**stddev), content["state"], {"ema": content["state"]["ema"], "discriminator": weights}, [2]
            )
        )

"""What cannot go together is refused in one line before anything starts; what is known to fail is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import InputError
from pipeline.schema.base import parse
from pipeline.schema.parts import WeightClippingSpec
from pipeline.schema.trial import TrialSpec
from pipeline.space.check import check_data
from pipeline.space.load import load

BASE: dict[str, Any] = {
    "data": {"name": "digits"},
    "objective": "fid",
    "budget": {"images": 1000},
    "evaluation": {"every": 500},
    "generator": {"network": "dcgan", "depth": 2},
    "discriminator": {"network": "dcgan", "depth": 2, "norm": "layer"},
    "batch_size": 64,
}
POINTS = {
    "data": {"name": "ring8"},
    "objective": "sliced_wasserstein",
    "generator": {"network": "mlp"},
    "discriminator": {"network": "mlp"},
}
SPECTRAL = {"discriminator": {"network": "dcgan", "norm": "spectral"}}


def read(tmp_path: Path, changes: dict[str, Any]) -> tuple[str, ...]:
    """The notices of a space with these changes."""
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(BASE | changes))
    return load(str(path)).notices


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"game": {"packing": 3}}, "game.packing: found 3; valid: what divides batch_size (64)"),
        ({"game": {"packing": {"choice": [1, 6]}}}, "game.packing: found 6; valid: what divides batch_size (64)"),
        ({"game": {"packing": {"int": [1, 4]}}}, "game.packing: found 3; valid: what divides batch_size (64)"),
        (
            {"game": {"packing": 2}, "batch_size": {"log_int": [32, 256]}},
            "game.packing: found 2; valid: what divides batch_size (33)",
        ),
        ({"game": {"packing": 2}, "batch_size": 2}, "game.packing: found 2; valid: less than batch_size"),
        ({"game": {"packing": 0}}, "game.packing: found 0; valid: greater than or equal to 1"),
        ({"regularisers": {"r1": {"interval": 0}}}, "regularisers.r1.interval: found 0; valid: greater than or equal"),
        (
            {"regularisers": {"wgan_gp": {}, "weight_clipping": {}}},
            "regularisers: found weight_clipping and wgan_gp; both bound D's slope, valid: one of them",
        ),
        (
            {"regularisers": {"weight_clipping": {}}} | SPECTRAL,
            "regularisers.weight_clipping: found it with discriminator.norm spectral, which undoes it",
        ),
        ({"augmentation": {"ada": {}, "diffaugment": {}}}, "augmentation: found diffaugment and ada; valid: one"),
        (
            {"augmentation": {"diffaugment": {}}} | POINTS,
            "augmentation.diffaugment: found it; ring8 is points, valid: without it",
        ),
        ({"regularisers": {"consistency": {}}} | POINTS, "regularisers.consistency: found it; ring8 is points"),
        (
            {"game": {"objective": "hinge", "label_smoothing": 0.1}},
            "game: label_smoothing: found 0.1 with hinge, whose reals have no target; valid: 0, or with minimax, ",
        ),
        ({"game": {"condition": {"kind": "projection"}}} | POINTS, "game.condition: found projection; ring8 has no"),
        (
            {"game": {"condition": {"kind": "projection"}, "packing": 2}},
            "game: packing: found 2 with a condition; valid: 1, a pack has no one class",
        ),
        (
            {"game": {"condition": {"kind": "projection", "weight": 1.0}}},
            "game.condition: weight: found one with projection; valid: with auxiliary_classifier alone",
        ),
        (
            {"generator": {"network": "dcgan", "norm": "conditional_batch"}},
            "generator.norm: found conditional_batch; valid: with a game.condition",
        ),
        (
            {"discriminator": {"network": "dcgan", "norm": "conditional_batch"}},
            'discriminator.norm: found "conditional_batch", (valid: none, ',
        ),
        (
            {"game": {"objective": {"choice": ["minimax", "hinge"]}, "label_smoothing": {"uniform": [0.0, 0.3]}}},
            "game: label_smoothing: found 0.3 with hinge, whose reals have no target",
        ),
        (
            {"game": {"with": {"data": {"name": "ring8"}}}},
            "game.with: found data; valid: a mapping of latent, generator, ",
        ),
        (
            {"game": {"with": {"discriminator": {"depth": 1}}}},
            "game.with: found discriminator.depth, which is given beside game too; valid: in one place",
        ),
        ({"game": {"with": {"regularisers": {"r9": {}}}}}, 'regularisers.r9: unknown key "r9"'),
        ({"generator": {"network": "dcgan", "dropout": 0.1}}, 'generator.dropout: unknown key "dropout"'),
        (
            {"optimiser": {"lr_d": 1e-4, "lr_ratio": {"log": [0.5, 4]}}},
            "optimiser: found lr_d and lr_ratio; valid: one of them",
        ),
        (
            {"optimiser": {"lr_g": {"log": [1e-5, 1e-2]}, "lr_ratio": {"log": [0.1, 200]}}},
            "optimiser: lr_ratio: found 200.0 with an lr_g of 0.01; valid: at most 100, a rate of 1",
        ),
        ({"optimiser": {"lr_ratio": 0.0}}, "optimiser.lr_ratio: found 0.0; valid: greater than 0"),
        (
            {"optimiser": {"hold": 0.5}},
            "optimiser: hold: found 0.5 with constant; valid: with linear or cosine",
        ),
        (
            {"optimiser": {"name": "adamm"}},
            'optimiser.name: found "adamm", did you mean "adam"?',
        ),
        (
            {"optimiser": {"final_rate": 0.25}},
            "optimiser: final_rate: found 0.25 with constant; valid: with linear or cosine",
        ),
        ({"ema": {"ramp": 0.0}}, "ema.ramp: found 0.0; valid: greater than 0"),
        (
            {"discriminator": {"network": "dcgan", "minibatch_group": 8}},
            "discriminator: minibatch_group: found 8 with minibatch none; valid: with stddev",
        ),
        (
            {"discriminator": {"network": "dcgan", "minibatch": "stddev"}, "game": {"packing": 2}, "batch_size": 14},
            "discriminator.minibatch: found stddev with 7 scores a batch (batch_size / game.packing), which are in no "
            "groups; valid: a number that 2 or 3 or 4 divides",
        ),
    ],
)
def test_what_cannot_go_together(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, changes)
    assert str(error.value).removeprefix(f"{tmp_path / 'x.yaml'}: ").startswith(line)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


LAZY = {"choice": [1, 16]}
# Batch norm and a penalty, but of different games.
GAMES = {
    "choice": {
        "plain": {"objective": "hinge", "with": {"discriminator": {"norm": "batch"}}},
        "penalised": {
            "objective": "wasserstein",
            "with": {"discriminator": {"norm": "layer"}, "regularisers": {"wgan_gp": {}}},
        },
    }
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"regularisers": {"r1": {"interval": 16}}}, []),
        ({"regularisers": {"r1": {}, "r2": {}}}, []),
        ({"regularisers": {"r1": {"interval": 16}, "r2": {}}}, ["r1 and r2 with an interval above 1"]),
        ({"regularisers": {"r1": {}, "r2": {"interval": LAZY}}}, ["r1 and r2 with an interval above 1"]),
        ({"regularisers": {"choice": {"a": {"r1": {"interval": 4}}, "b": {"r2": {"interval": 4}}}}}, []),
        (
            {"regularisers": {"dragan": {}}, "discriminator": {"network": "dcgan", "norm": "batch"}},
            ["discriminator.norm: batch under a gradient penalty (dragan)"],
        ),
        (
            {"regularisers": {"r2": {}}, "discriminator": {"network": "dcgan", "norm": "none", "minibatch": "stddev"}},
            ["discriminator.minibatch: stddev under a gradient penalty (r2)"],
        ),
        ({"regularisers": {"lecam": {"start": 9}}, "discriminator": {"network": "dcgan", "norm": "batch"}}, []),
        (
            {"regularisers": {"lecam": {"start": {"choice": [0, 20]}}}},
            ["regularisers.lecam.start: after up to 1,344 images (start + 1 steps of the generator), and "],
        ),
        ({"regularisers": {"lecam": {"start": 6}}, "optimiser": {"discriminator_steps": 2}}, []),
        (
            {"regularisers": {"lecam": {"start": 7}}, "optimiser": {"discriminator_steps": 2}},
            ["regularisers.lecam.start: after up to 1,024 images"],
        ),
        ({"augmentation": {"ada": {"images": 5_000}}}, []),
        (
            {"regularisers": {"r1": None}},
            ["regularisers.r1: found null, the same as if it were not there; {} would be"],
        ),
        (
            {"augmentation": {"choice": {"no": {}, "some": {"diffaugment": None}}}},
            ["augmentation.choice.some.diffaugment: found null"],
        ),
        (
            {"augmentation": {"ada": {"images": {"log_int": [500, 10_000]}}}},
            ["augmentation.ada.images: up to 10,000 for its probability to rise by 1, and budget.images is 1,000: it"],
        ),
        (
            {
                "regularisers": {"choice": {"none": {}, "gp": {"wgan_gp": {}}}},
                "discriminator": {"network": "dcgan", "norm": {"choice": ["none", "batch"]}},
            },
            ["discriminator.norm: batch under a gradient penalty (wgan_gp)"],
        ),
        ({"game": GAMES, "discriminator": {"network": "dcgan"}}, []),
        ({"game": {"objective": "wasserstein"}}, ["game.objective: wasserstein without a bound on D's slope"]),
        (
            {
                "game": {"objective": {"choice": ["hinge", "wasserstein"]}},
                "regularisers": {"choice": {"a": {}, "b": {"r1": {}}}},
            },
            ["game.objective: wasserstein without a bound on D's slope"],
        ),
        ({"game": {"objective": "wasserstein"}, "regularisers": {"weight_clipping": {}}}, []),
        ({"game": {"objective": "wasserstein"}} | SPECTRAL, []),
    ],
)
def test_what_is_known_to_fail_is_said(tmp_path: Path, changes: dict[str, Any], said: list[str]) -> None:
    notices = read(tmp_path, changes)
    assert len(notices) == len(said)
    assert all(part in notice for part, notice in zip(said, notices, strict=True))


def test_a_choice_of_games_has_each_its_own_parts(tmp_path: Path) -> None:
    """What is searched under one game is not there under the other, and comes out where it belongs."""
    games = {
        "plain": {"objective": "hinge", "with": {"discriminator": {"norm": {"choice": ["spectral", "layer"]}}}},
        "clipped": {
            "objective": "wasserstein",
            "with": {"regularisers": {"weight_clipping": {"bound": {"log": [0.01, 1.0]}}}, "optimiser": {"lr_d": 5e-5}},
        },
    }
    path = tmp_path / "x.yaml"
    path.write_text(
        yaml.safe_dump(
            BASE | {"game": {"choice": games}, "optimiser": {"lr_g": 1e-4}, "discriminator": {"network": "dcgan"}}
        )
    )
    file = load(str(path))
    names = [parameter.name for parameter in file.space.parameters()]
    norm, bound = "game[plain].with.discriminator.norm", "game[clipped].with.regularisers.weight_clipping.bound"
    assert sorted(names) == ["game", bound, norm]
    plain, clipped = (
        parse(TrialSpec, file.space.fixed(point)[1], "x")
        for point in ({"game": "plain", norm: "layer"}, {"game": "clipped", bound: 0.1})
    )
    assert (plain.discriminator.norm, plain.regularisers.weight_clipping) == ("layer", None)
    assert (clipped.discriminator.norm, clipped.regularisers.weight_clipping) == (
        "batch",
        WeightClippingSpec(bound=0.1),
    )
    assert plain.optimiser.rates == (1e-4, 1e-4)
    assert clipped.optimiser.rates == (1e-4, 5e-5)
    assert TrialSpec.model_validate(clipped.model_dump(mode="json")) == clipped


FOLDER = {"data": {"name": "imagefolder:photos", "resolution": 8}, "game": {"condition": {"kind": "projection"}}}
FUNCTION = {"data": {"name": "mine.py:points"}}


@pytest.mark.parametrize(
    ("changes", "kind", "classes", "line"),
    [
        (FOLDER, "image", 0, "game.condition: found projection; "),
        (FOLDER, "image", 3, None),
        (FUNCTION, "points", 0, "generator.network: found dcgan; points have no pixels, valid: mlp"),
        (
            FUNCTION | {"augmentation": {"choice": {"no": {}, "ada": {"ada": {}}}}},
            "points",
            0,
            "augmentation.ada: found i",
        ),
        (FUNCTION, "image", 0, None),
    ],
)
def test_what_only_the_opened_data_can_tell(
    tmp_path: Path, changes: dict[str, Any], kind: str, classes: int, line: str | None
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(BASE | changes))
    space = load(str(path)).space
    if line is None:
        check_data(space, kind, 8, classes)
        return
    with pytest.raises(InputError) as error:
        check_data(space, kind, 8 if kind == "image" else None, classes)
    assert str(error.value).startswith(f"{path}: {line}")

"""A sweep that learns from earlier ones: what it takes over, what it proposes, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.record.log import Record
from pipeline.record.runs import HEALTH_REASONS
from pipeline.schema.sweep import LearnedSpec, PriorSpec
from pipeline.search.outcome import Outcome
from pipeline.search.prior import Known, Mixture
from pipeline.search.sampler import Sampler
from pipeline.seeds import run_seed
from pipeline.space.load import from_tree, load
from pipeline.space.yaml import dump
from pipeline.sweeps.learning import same_data
from pipeline.sweeps.sweep import Sweep
from tests.drivers.fake_tune import MIXED, TREE, FakeTune, sweep_file

OTHER: dict[str, Any] = {  # fewer parameters, another range, and a rate that is written as a ratio
    **{key: value for key, value in TREE.items() if key not in ("optimiser", "known_good")},
    "optimiser": {"lr_g": {"log": [1e-5, 1e-3]}, "lr_ratio": {"log": [0.1, 10]}},
    "generator": {"network": "dcgan", "width": {"choice": [16, 32]}},
    "search": {"trials": 4, "learn_from": ["earlier"]},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With a sweep that has ended, in which some trials failed."""
    (tmp_path / "earlier").mkdir(parents=True)
    FakeTune(tmp_path / "earlier", sweep_file(), MIXED).go()
    return tmp_path


def begun(home: Path, tree: dict[str, Any], name: str = "new") -> Sweep:
    path = home / "space.yaml"
    path.write_text(dump(tree))
    return Sweep.from_file(path, name=name, home=home)


def earlier(home: Path) -> list[Any]:
    return [trial for trial in Sweep.open("earlier", home=home).state().ranking() if trial.healthy]


def test_it_takes_over_the_best_and_what_failed(home: Path) -> None:
    sweep = begun(home, OTHER)
    (learned,) = sweep.file.learned
    best = [trial.point["optimiser.lr_g"] for trial in earlier(home)[:3] if trial.point["optimiser.lr_g"] <= 1e-3]
    assert [each["optimiser.lr_g"] for each in learned.best if "optimiser.lr_g" in each] == best
    assert {each["optimiser.lr_ratio"] for each in learned.best} == {1.0}  # they had one rate for both
    ends = [trial.end_reason for trial in Sweep.open("earlier", home=home).state().trials.values()]
    assert "crashed" in ends  # which says nothing
    assert len(learned.failed) == sum(end in HEALTH_REASONS for end in ends) == 1
    assert len(learned.best) + len(learned.healthy) == len(earlier(home)) > 3  # how often it fails is seen from both
    (said,) = [line for line in sweep.file.notices if "learn_from" in line]
    assert said == (
        "search.learn_from: earlier: the 3 best and 1 that failed of 8 trials; "
        "2 of 3 parameters are known from there, not generator.width"
    )


def test_the_best_is_tried_first_and_the_record_is_enough_to_go_on(home: Path) -> None:
    file = begun(home, OTHER).file
    again = from_tree(json.loads(json.dumps(file.tree)), file.source)
    assert again.learned == file.learned
    sampler, other = Sampler.of(file), Sampler.of(again)
    point, source = sampler.ask(0)
    assert source == "learned"
    assert point["optimiser.lr_g"] == file.learned[0].best[0]["optimiser.lr_g"]
    assert other.ask(0) == (point, source)
    assert [sampler.ask(number) for number in range(1, 6)] == [other.ask(number) for number in range(1, 6)]


def test_of_other_data_the_best_is_not_tried_and_counts_for_less(home: Path) -> None:
    """Its optimum is elsewhere; what it says of where GANs fail is kept."""
    same = begun(home, OTHER).file
    other = begun(home, OTHER | {"data": {"name": "mnist"}}, "other").file
    ((there,), (elsewhere,)) = same.learned, other.learned
    assert (there.same, elsewhere.same) == (True, False)
    assert (elsewhere.best, elsewhere.failed) == (there.best, there.failed)
    assert other.notices[-1].endswith("; it is of other data (digits), so it counts for less")
    assert (Sampler.of(same).ask(0)[1], Sampler.of(other).ask(0)[1]) == ("learned", "experience")
    shares = [Mixture(each.space, PriorSpec(), Known((), each.learned), True).shares([], {}) for each in (same, other)]
    assert [each["learned"] for each in shares] == pytest.approx([0.4, 0.1])
    sampler, sources = Sampler.of(other), []
    for number in range(40):
        point, source = sampler.ask(number)
        sources.append(source)
        sampler.tell(number, Outcome("completed", 100 * point["optimiser.lr_g"]))
    assert sources.count("learned") > 0
    assert sources.count("incumbent") > sources.count("learned")


def test_data_are_the_same_by_their_size_too_and_by_a_folder_s_own_name(home: Path) -> None:
    def same(**data: object) -> bool:
        return begun(home, OTHER | {"data": {"name": "digits", **data}}, "other").file.learned[0].same

    assert same()
    assert not same(limit=1000)
    assert not same(resolution=16)


def test_folders_are_the_same_by_where_they_are_or_once_they_moved_by_their_names(tmp_path: Path) -> None:
    for name in ("cats/train", "xrays/train"):
        (tmp_path / name).mkdir(parents=True)

    def of(name: str, now: str) -> bool:
        return same_data({"name": name}, {"name": now})

    cats, xrays = (f"imagefolder:{tmp_path}/{each}/train" for each in ("cats", "xrays"))
    assert of(cats, cats)
    assert not of(cats, xrays)
    assert of("imagefolder:/elsewhere/cats/train", cats)
    assert of("my_data.py:faces", "/home/me/my_data.py:faces")
    assert not of("my_data.py:faces", "my_data.py:spectra")


def test_by_another_objective_it_counts_for_less(home: Path) -> None:
    file = begun(home, OTHER | {"objective": "kid"}, "other").file
    assert not file.learned[0].same
    assert file.notices[-1].endswith("; it is by another objective (fid), so it counts for less")


def test_of_other_data_too_the_same_come_first(home: Path) -> None:
    (one,) = begun(home, OTHER).file.learned
    other = LearnedSpec(sweep="other", best=({"optimiser.lr_g": 1e-4},), same=False)
    assert Known((), (other, one)).nearest == [*one.best, *other.best]


def test_where_all_seems_to_fail_what_does_least_is_proposed(home: Path) -> None:
    """And not a uniform draw, of which nothing is asked."""
    tree = begun(home, OTHER).file.tree
    places = [{"optimiser.lr_g": 10 ** (-5 + 2 * share / 60), "optimiser.lr_ratio": 1.0} for share in range(60)]
    learned = LearnedSpec(sweep="other", best=(places[30],), failed=tuple(each for each in places), same=False)
    sampler = Sampler.of(from_tree({**tree, "learned": [learned.model_dump(mode="json")]}, "t"))
    asked = [sampler.ask(number) for number in range(30)]
    assert "sampler" not in {source for _, source in asked}


def test_all_of_the_home_that_fit(home: Path) -> None:
    (home / "dead").mkdir()
    nothing = {number: {100: {"metrics": {}, "signals": {"finite": 0.0}}} for number in range(8)}
    FakeTune(home / "dead", sweep_file(), nothing).go()
    of_home = OTHER | {"search": {"trials": 4, "learn_from": "home"}}
    assert [each.sweep for each in begun(home, of_home).file.learned] == ["earlier"]
    (home / "another").mkdir()
    alone = begun(home / "another", of_home).file
    assert alone.learned == ()
    assert "no sweep in the home has a healthy trial and a parameter of this space" in alone.notices[-1]
    with pytest.raises(InputError, match="found dead, of which no trial stayed healthy"):
        begun(home, OTHER | {"search": {"learn_from": ["dead"]}})


def test_what_is_refused(home: Path) -> None:
    strange = {key: value for key, value in OTHER.items() if key != "optimiser"}
    strange["generator"] = {"network": "dcgan", "init": {"choice": ["xavier", "kaiming"]}}
    for tree, said in (
        (OTHER | {"search": {"learn_from": ["nowhere"]}}, 'search.learn_from: there is no sweep "nowhere" in'),
        (OTHER | {"search": {"learn_from": ["earlier"], "prior": None}}, "search.learn_from: found with no prior"),
        (OTHER | {"search": {"learn_from": ["earlier"], "sampler": "random"}}, "found with no prior"),
        (OTHER | {"objective": ["fid", "kid"]}, "search.learn_from: found with several objectives"),
        (OTHER | {"search": {"learn_from": ["new"]}}, "search.learn_from: found new, which is this sweep itself"),
        (strange, "found earlier, which shares no parameter with this space"),
    ):
        with pytest.raises(InputError) as refused:
            begun(home, tree)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_sweep_of_before_goes_on_without_a_prior(tmp_path: Path) -> None:
    """It proposes as it did when its defaults were those of then."""
    folder = tmp_path / "old"
    folder.mkdir()
    file = load("digits")
    spec = file.sweep.model_dump(mode="json")
    for tree in (spec, file.tree):
        del tree["search"]["prior"]
    record = Record(folder / "events.jsonl")
    seed = run_seed(0, 0)
    record.append("sweep", name="old", source="preset digits", space=file.tree, spec=spec, seed=seed, versions={})
    record.append("driver", session="s", state="started", launch={})
    record.close()
    assert Sweep.open("old", home=tmp_path).file.sweep.search.prior is None

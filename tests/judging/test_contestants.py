"""Who is judged, and that the pairs are fair: each as often as the others, on the same seed, on either side."""

import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.judging.contestants import contestants, next_pair, wanted, without_pictures
from pipeline.judging.votes import Vote
from tests.report.synthetic import Made


@pytest.fixture(scope="module")
def picked(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("home") / "made", trials=10).searched()
    made.picked({1: ["top 1"], 2: ["top 2"], 0: ["default"]})
    made.pictures(list(range(8)))
    return made


def test_a_picks_finalists_are_judged_by_their_fresh_seeds(picked: Made) -> None:
    state = picked.state()
    found = contestants(state, picked.folder, None)
    assert {each.trial for each in found} == {0, 1, 2}
    for each in found:
        assert {one.shown.seed for one in each.pictures} == set(state.trials[each.trial].confirmations)
        assert {one.shown.images for one in each.pictures} == {120_000}


def test_the_best_of_the_search_are_judged_where_that_is_asked(picked: Made) -> None:
    state = picked.state()
    found = contestants(state, picked.folder, 4)
    there = [trial.number for trial in state.ranking() if trial.number < 8]
    assert [each.trial for each in found] == there[:4]


def test_one_without_pictures_is_left_out_and_one_alone_is_refused(picked: Made, tmp_path: Path) -> None:
    made = Made(tmp_path / "made", trials=6).searched()
    made.picked({1: ["top 1"], 2: ["top 2"], 0: ["default"]})
    made.pictures([1, 0])
    found = contestants(made.state(), made.folder, None)
    assert [each.trial for each in found] == [1, 0]
    assert without_pictures(made.state(), found) == [2]
    bare = Made(tmp_path / "bare", trials=6).searched()
    bare.pictures([3])
    with pytest.raises(InputError, match=r"bare: of its trials with a score .* found trial 3; valid: two or more"):
        contestants(bare.state(), bare.folder, None)


def test_pairs_are_shown_equally_often_on_the_same_seed_and_on_either_side(picked: Made) -> None:
    among = contestants(picked.state(), picked.folder, None)
    given, chance = list[Vote](), random.Random(0)
    for _ in range(90):
        left, right = next_pair(among, given, chance)
        assert left.shown.seed == right.shown.seed
        given.append(Vote(left.shown, right.shown, "left", "ann", 0.0, seen=False))
    pairs = Counter(frozenset((vote.left.trial, vote.right.trial)) for vote in given)
    runs = Counter((frozenset((vote.left.trial, vote.right.trial)), vote.left.seed) for vote in given)
    assert set(pairs.values()) == {30}
    assert set(runs.values()) == {10}
    assert all(15 < count < 45 for count in Counter(vote.left.trial for vote in given).values())
    assert wanted(3) == 15

"""What the rules make of a run: silence for healthy ones, a reason with evidence for the others."""

import json
import math
import random

import pytest

from pipeline.errors import InputError
from pipeline.health.rules import Context, End, end_of, replay, warnings_of
from pipeline.record.measurement import Measurement
from pipeline.schema.base import parse
from pipeline.schema.health import RuleSpec, recorded_rules
from pipeline.schema.sweep import SweepSpec

BUDGET = 20_000
FID = Context("fid", minimise=True, floor=15.0, floor_spread=4.0)
DEFAULTS = parse(SweepSpec, {"objective": "fid"}, "test").health
HEALTHY = {
    "finite": 1.0,
    "loss_g": 0.7,
    "loss_d": 1.3,
    "discriminator_win_rate": 0.9,
    "generator_gradient_norm": 0.5,
    "discriminator_gradient_norm": 0.5,
    "sample_variance_ratio": 0.8,
    "diversity_ratio": 0.8,
    "coverage": 0.7,
}


def run(fid: list[float] | None = None, **series: list[float]) -> list[Measurement]:
    """20 evaluations of a healthy run, except for the series given; a shorter one goes on with its last value."""
    fid = fid or [20 + 200 * math.exp(-i / 2) + (i % 3) for i in range(20)]
    made = []
    for i in range(20):
        signals = HEALTHY | {name: values[min(i, len(values) - 1)] for name, values in series.items()}
        errors = {"fid": signals.pop("error")} if "error" in signals else {}
        made.append(Measurement((i + 1) * 1000, {"fid": fid[min(i, len(fid) - 1)]}, signals, float(i), errors=errors))
    return made


def ended(measurements: list[Measurement]) -> tuple[int, End] | None:
    return replay(DEFAULTS, measurements, BUDGET, FID)


def rule(**fields: object) -> RuleSpec:
    base = {"reason": "collapsed", "signal": "coverage", "comparison": "<", "threshold": 0.5, "grace": 0.0}
    return parse(RuleSpec, base | fields, "test")


def test_a_healthy_run_is_left_alone() -> None:
    assert ended(run()) is None


def test_a_resolution_that_fades_in_is_no_divergence() -> None:
    """As Fashion-MNIST went at 32 x 32 pixels: FID 253 before the last fade, 563 within it, 252 at its end. Compared
    with what it was at 16 x 16 the run would be lost; one that does as badly at one resolution is."""
    fid = [820, 820, 600, 320, 254, 253, 253, 254, 253, 253, 563, 570, 550, 252, 228, 222, 203, 185, 167, 161]
    levels = [0, 0, 1, 1, *[2.0] * 6, 2.2, 2.6, 2.9, *[3.0] * 7]
    found = ended(run([float(each) for each in fid]))
    assert found is not None
    assert found[1].reason == "diverged"
    assert ended(run([float(each) for each in fid], **{"game.growth_level": levels})) is None
    lost = run([253.0] * 14 + [563.0] * 6, **{"game.growth_level": levels})
    found = ended(lost)
    assert found is not None
    assert (found[1].reason, lost[found[0]].images) == ("diverged", 18_000)


@pytest.mark.parametrize("seed", range(40))
def test_a_healthy_run_whose_fid_moves_by_a_factor_of_2_is_left_alone(seed: int) -> None:
    draw = random.Random(seed)
    fid = [(25 + 300 * math.exp(-i / 3)) * math.exp(draw.gauss(0.0, 0.25)) for i in range(20)]
    assert ended(run(fid)) is None


def test_a_slow_run_that_goes_on_gaining_is_left_alone() -> None:
    slow = [0.012 * (i + 1) for i in range(20)]
    flat = [0.0004 * (i + 1) for i in range(20)]
    fid = [300.0 - 12 * i for i in range(20)]
    assert ended(run(fid, diversity_ratio=slow, coverage=slow, sample_variance_ratio=flat, modes_share=slow)) is None


def test_a_slow_learner_whose_noise_has_little_diversity_is_no_collapse() -> None:
    """Noise has 0.236 of the diversity of Fashion-MNIST in its features."""
    fid = [1250.0 - 45 * i for i in range(20)]
    assert ended(run(fid, diversity_ratio=[0.236], coverage=[0.01], recall=[0.0])) is None


def test_what_looks_dead_half_way_may_come_to_something() -> None:
    fid = [700.0, 650.0, 690.0, 600.0, 640.0, 560.0, 610.0, 500.0, 540.0, 460.0]
    fid += [380.0, 300.0, 240.0, 190.0, 150.0, 120.0, 100.0, 85.0, 72.0, 62.0]
    coverage = [*[0.14] * 10, *[0.14 + 0.04 * i for i in range(10)]]
    assert ended(run(fid, coverage=coverage, recall=[*[0.0] * 11, *[0.05 * i for i in range(9)]])) is None


def test_a_run_that_never_had_coverage_did_not_lose_it() -> None:
    assert ended(run(coverage=[0.0, 0.1, 0.05])) is None


FLAT = [300.0 + (i * 7) % 5 for i in range(20)]
SICK: dict[str, tuple[dict[str, list[float]], int]] = {
    "non_finite": ({"finite": [*[1.0] * 6, 0.0]}, 7),
    "flat_output": ({"sample_variance_ratio": [0.5, 0.5, 1e-4]}, 4),
    "low_diversity": ({"diversity_ratio": [*[0.8] * 8, 0.1], "fid": FLAT}, 11),
    "low_diversity, never any": ({"diversity_ratio": [0.1], "fid": FLAT}, 7),
    "low_diversity, every other evaluation": ({"diversity_ratio": [0.8, 0.1] * 10, "fid": FLAT}, 10),
    "lost_coverage": ({"coverage": [*[0.6] * 5, 0.1]}, 8),
    "few_modes": ({"modes_share": [0.25], "fid": FLAT}, 8),
    "discriminator_won": ({"discriminator_win_rate": [1.0], "generator_gradient_norm": [1.0, 0.5, 0.001]}, 5),
    "discriminator_leads": ({"discriminator_win_rate": [1.0], "fid": FLAT}, 11),
    "declined": ({"fid": [*[60.0, 40.0, 30.0, 22.0, 20.0], *[20.0 + 0.75 * i for i in range(15)]], "error": [1.0]}, 15),
    "declined, learned by heart": (
        {"fid": [60.0, 45.0, 35.0, 30.0, *[30.0 + i for i in range(16)]], "error": [1.5]},
        14,
    ),
    "never_covered": ({"recall": [0.0], "coverage": [0.02], "fid": FLAT}, 20),
    "lost_class": ({"coverage": [0.78], "worst_class_coverage": [0.09]}, 20),
    "few_modes_at_end": ({"modes_share": [0.02 * i for i in range(20)], "fid": FLAT}, 20),
    "memorised": ({"memorised_share": [0.5]}, 20),
    "diverged, swinging": ({"fid": [20.0, 200.0] * 10}, 4),
    "diverged, swinging late": ({"fid": [60.0, 40.0, 30.0, 22.0, 20.0, *[20.0, 200.0] * 8]}, 9),
    "diverged": ({"fid": [*[20 + 200 * math.exp(-i / 2) + i % 3 for i in range(12)], 300.0]}, 14),
}


@pytest.mark.parametrize("case", SICK)
def test_each_default_rule_ends_the_run_it_is_for(case: str) -> None:
    series, evaluation = SICK[case]
    name = case.partition(",")[0]
    found = ended(run(**series))
    assert found is not None
    index, end = found
    assert (index + 1, end.reason, end.evidence["rule"]) == (evaluation, DEFAULTS[name].reason, name)


def test_every_default_rule_is_tried_above() -> None:
    warn = {name for name, rule in DEFAULTS.items() if rule.action == "warn"}
    assert {case.partition(",")[0] for case in SICK} == DEFAULTS.keys() - warn


def test_the_evidence_says_what_was_seen() -> None:
    found = ended(run(coverage=[*[0.6] * 5, 0.1, 0.11, 0.12]))
    assert found is not None
    drops = ((6000, -0.5), (7000, -0.49), (8000, -0.48))
    assert found[1].evidence == {
        "rule": "lost_coverage",
        "signal": "coverage",
        "comparison": "<",
        "threshold": 0.15,
        "values": [{"images": 6000, "value": 0.1}, {"images": 7000, "value": 0.11}, {"images": 8000, "value": 0.12}],
        "also": [
            {
                "signal": "coverage_gain",
                "comparison": "<",
                "threshold": -0.25,
                "values": [{"images": i, "value": pytest.approx(v)} for i, v in drops],
            }
        ],
    }
    json.dumps(found[1].evidence)


def test_patience_wants_evaluations_in_a_row() -> None:
    rules = {"mine": rule(patience=2)}
    now = [0.4, 0.6, 0.4, 0.6, 0.4, 0.4]
    assert replay(rules, run(coverage=[*now, 0.9]), BUDGET, FID) == (
        5,
        end_of(rules, run(coverage=now)[:6], BUDGET, FID),
    )


def test_no_evaluation_within_the_grace_counts() -> None:
    found = replay({"mine": rule(patience=2, grace=0.5)}, run(coverage=[0.1]), BUDGET, FID)
    assert found is not None
    assert [point["images"] for point in found[1].evidence["values"]] == [10_000, 11_000]


@pytest.mark.parametrize(("comparison", "fires"), [("<", False), ("<=", True), (">", False), (">=", True)])
def test_comparisons_at_the_threshold(comparison: str, fires: bool) -> None:
    end = end_of({"mine": rule(comparison=comparison)}, run(coverage=[0.5])[:1], BUDGET, FID)
    assert (end is not None) == fires


def test_all_conditions_have_to_hold_at_the_same_evaluations() -> None:
    rules = {"mine": rule(also=[{"signal": "loss_g", "comparison": ">", "threshold": 1.0}])}
    assert replay(rules, run(coverage=[0.1, 0.9], loss_g=[0.5, 2.0]), BUDGET, FID) is None
    assert replay(rules, run(coverage=[0.9, 0.1], loss_g=[0.5, 2.0]), BUDGET, FID) is not None


def test_a_rule_is_silent_where_the_run_lacks_its_signal() -> None:
    assert replay({"mine": rule(signal="modes_share")}, run(), BUDGET, FID) is None
    assert replay({"mine": rule(signal="excess", comparison=">")}, run(), BUDGET, Context("recall", False)) is None


@pytest.mark.parametrize("signal", ["coverage", "loss_g", "excess"])
def test_nan_in_a_signal_that_a_rule_reads_is_non_finite_even_within_its_grace(signal: str) -> None:
    series = {"fid" if signal == "excess" else signal: [math.nan]}
    end = end_of({"mine": rule(signal=signal, grace=0.9)}, run(**series)[:1], BUDGET, FID)
    assert end is not None
    assert (end.reason, end.evidence["rule"], end.evidence["signal"]) == ("non_finite", "mine", signal)
    assert [point["images"] for point in end.evidence["values"]] == [1000]


def test_no_reason_comes_before_non_finite() -> None:
    found = ended(run(fid=[*[20.0] * 9, math.nan], sample_variance_ratio=[*[0.5] * 8, 0.0]))
    assert found is not None
    assert (found[0], found[1].reason) == (9, "non_finite")
    without = {name: r for name, r in DEFAULTS.items() if name != "non_finite"}
    end = end_of(without, run(fid=[math.nan], sample_variance_ratio=[0.0]), BUDGET, FID)
    assert end is not None
    assert end.reason == "non_finite"
    assert math.isnan(end.evidence["values"][0]["value"])


def test_training_that_stopped_before_it_could_be_evaluated_ended_as_non_finite() -> None:
    end = end_of(DEFAULTS, [Measurement(64, {}, {"finite": 0.0, "loss_d": math.nan}, 0.1)], BUDGET, FID)
    assert end is not None
    assert end.evidence["values"] == [{"images": 64, "value": 0.0}]


def test_no_measurements_no_verdict() -> None:
    assert end_of(DEFAULTS, [], BUDGET, FID) is None
    assert replay(DEFAULTS, [], BUDGET, FID) is None


@pytest.mark.parametrize(
    "change",
    [{"signal": "excesss"}, {"also": [{"signal": "excesss", "comparison": ">", "threshold": 1.0}]}],
)
def test_a_signal_that_there_is_not_is_refused_with_the_nearest_one(change: dict[str, object]) -> None:
    tree = {"objective": "fid", "health": {"diverged": change}}
    with pytest.raises(
        InputError, match=r'health.diverged.*signal: found "excesss", did you mean "excess"\? \(valid: '
    ):
        parse(SweepSpec, tree, "a.yaml")


def test_patience_can_be_of_the_last_so_many_the_last_one_among_them() -> None:
    rules = {"mine": rule(patience=2, within=3)}
    assert replay(rules, run(coverage=[0.9, 0.4, 0.9, 0.9, 0.4, 0.9, 0.4, 0.9]), BUDGET, FID) == (
        6,
        end_of(rules, run(coverage=[0.9, 0.4, 0.9, 0.9, 0.4, 0.9, 0.4])[:7], BUDGET, FID),
    )
    assert end_of(rules, run(coverage=[0.4, 0.4, 0.9])[:3], BUDGET, FID) is None


def test_a_rule_for_the_end_says_nothing_before_the_budget_is_spent() -> None:
    rules = {"mine": rule(at_end=True, patience=2)}
    found = replay(rules, run(coverage=[0.1]), BUDGET, FID)
    assert found is not None
    assert found[0] == 19
    assert [point["images"] for point in found[1].evidence["values"]] == [19_000, 20_000]
    assert replay(rules, run(coverage=[*[0.1] * 19, 0.9]), BUDGET, FID) is None


def test_a_rule_that_warns_ends_nothing_and_says_it_once() -> None:
    rules = {"mine": rule(action="warn")}
    measurements = run(coverage=[0.9, 0.4, 0.4, 0.9, 0.4])
    assert replay(rules, measurements, BUDGET, FID) is None
    said = [at for at in range(1, 6) if warnings_of(rules, measurements[:at], BUDGET, FID)]
    assert said == [2, 5]
    assert warnings_of(rules, measurements[:2], BUDGET, FID)["mine"].evidence["values"] == [
        {"images": 2000, "value": 0.4}
    ]


def test_nan_in_a_signal_of_a_rule_that_warns_is_non_finite_too() -> None:
    end = end_of(DEFAULTS, run(raw_distance=[30.0, math.nan])[:2], BUDGET, FID)
    assert end is not None
    assert (end.reason, end.evidence["signal"]) == ("non_finite", "finite")
    mine = {"mine": rule(action="warn")}
    end = end_of(mine, run(coverage=[math.nan])[:1], BUDGET, FID)
    assert end is not None
    assert (end.reason, end.evidence["rule"]) == ("non_finite", "mine")


def test_the_trained_generator_far_off_beside_a_good_average_is_a_warning() -> None:
    fid, at = [60.0, 50.0, 45.0, 40.0, 38.0, 36.0, 34.0, 33.0], [*[45.6] * 6, 108.7, 109.0]
    measurements = run(fid, raw_distance=at)[:8]
    assert ended(measurements) is None
    assert not warnings_of(DEFAULTS, measurements[:7], BUDGET, FID)  # one look may be chance
    assert warnings_of(DEFAULTS, measurements, BUDGET, FID).keys() == {"raw_diverged"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"threshold": -0.1}, "threshold: found coverage < -0.1, which it never is; valid: above 0"),
        ({"threshold": -0.1, "comparison": ">"}, "threshold: found coverage > -0.1, which it always is"),
        ({"threshold": 0.0}, "found coverage < 0, which it never is"),
        ({"patience": 3, "within": 2}, "within: found 2 with patience 3; valid: as many, or more"),
        ({"action": "shout"}, "action"),
    ],
)
def test_a_rule_that_can_never_hold_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        rule(**fields)
    with pytest.raises(InputError, match="valid: above 0"):
        rule(also=[{"signal": "diversity_ratio", "comparison": "<", "threshold": -1.0}])


def test_a_sweep_that_is_there_goes_on_with_its_own_rules() -> None:
    old = {"diverged": {"reason": "diverged", "signal": "excess", "comparison": ">", "threshold": 1.5, "patience": 2}}
    again = parse(SweepSpec, {"objective": "fid", "health": recorded_rules(old)}, "test").health
    assert again.keys() == {"diverged"}
    assert (again["diverged"].patience, again["diverged"].within, again["diverged"].conditions[1:]) == (2, None, ())
    everything = {name: each.model_dump(mode="json") for name, each in DEFAULTS.items()}
    assert parse(SweepSpec, {"objective": "fid", "health": recorded_rules(everything)}, "test").health == DEFAULTS

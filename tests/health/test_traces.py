"""The defaults on 32 published FID logs: what they reach there is held."""

from pathlib import Path

from pipeline.schema.base import parse
from pipeline.schema.health import DEFAULT_RULES, RuleSpec
from tests.benchmarks.health_on_traces import ends, read, table


def test_every_collapsed_log_is_stopped_and_no_healthy_one(data_root: Path) -> None:
    traces = read(data_root / "gan_traces")
    stopped = ends(traces)
    assert {t.run for t in traces if t.collapsed} == stopped.keys()
    assert {end.reason for _, end in stopped.values()} == {"diverged"}
    assert max(share for share, _ in stopped.values()) < 0.7
    assert "| collapsed | 6 | 0 |\n| healthy | 0 | 26 |" in table(traces)


def test_the_thresholds_do_not_sit_at_an_edge(data_root: Path) -> None:
    traces = read(data_root / "gan_traces")
    collapsed = {t.run for t in traces if t.collapsed}
    for noise in (3.0, 6.0):
        also = [{"signal": "excess_in_noise", "comparison": ">", "threshold": noise}]
        rule = parse(RuleSpec, DEFAULT_RULES["diverged"] | {"also": also}, "test")
        assert ends(traces, {"diverged": rule}).keys() == collapsed

"""A pick from the command on a real Ray: killed in the middle it goes on, and best.yaml is trained as it is."""

import json

import pytest

from pipeline.picking.verdict import verdict
from pipeline.record.state import NEIGHBOURS
from tests.integration.command import KILL, TINY, Running, events, gansweep, made_twice, state_of
from tests.integration.conftest import Finished
from tests.tracking.reading import mlflow_client

pytestmark = pytest.mark.slow

PICK = ("--top", "1", "--seeds", "3")
SHORT = ("digits", *TINY, "--seed", "3", "--trials", "2", "--name", "picked")


def test_a_killed_pick_goes_on_and_its_best_yaml_is_trained(whole: Finished) -> None:
    home = whole.home
    short = gansweep(home, "run", *SHORT)
    assert short.code == 0, short.err
    assert "gansweep pick picked" in short.err
    searched = state_of(home, "picked")
    running = Running(home, "pick", "picked", *PICK)
    running.until("picked", lambda lines: sum("test" in line and bool(line["test"]) for line in lines) >= 4)
    running.signal(KILL)
    ended = {(run.trial, run.seed) for run in state_of(home, "picked").confirmations if run.end_reason}
    again = gansweep(home, "pick", "picked", *PICK, "--json")
    assert again.code == 0, again.err
    lines = events(home, "picked")
    assert made_twice(lines) == []
    begun_again = {
        (line["trial"], line["seed"]) for line in lines if line["event"] == "attempt" and line["attempt"] > 1
    }
    assert begun_again.isdisjoint(ended)
    state = state_of(home, "picked")
    assert state.runs == searched.runs
    found = verdict(state)
    assert again.document == json.loads(json.dumps(found.document()))
    assert found.complete
    third = gansweep(home, "pick", "picked", *PICK, "--json")
    assert third.document == again.document
    assert events(home, "picked") == lines
    best = home / "picked" / "best.yaml"
    trained = gansweep(home, "train", str(best), "--seed", "5", "--out", str(home / "trained"), "--json")
    assert trained.code == 0, trained.err
    assert trained.document["end_reason"] == "completed"


# One number is searched, so that there are two neighbours.
ALONE = ("--set", "optimiser.lr_d=1e-3", "--set", "optimiser.beta1=0.5", "--set", "regularisers=none")


def test_a_killed_plateau_goes_on_and_the_winner_is_a_model(whole: Finished) -> None:
    home = whole.home
    assert gansweep(home, "run", "digits", *TINY, *ALONE, "--seed", "3", "--trials", "1", "--name", "moved").code == 0
    arguments = ("pick", "moved", "--top", "1", "--seeds", "2", "--perturb", "2")
    running = Running(home, *arguments)
    running.until(
        "moved", lambda lines: any(line["event"] == "run_ended" and line["trial"] >= NEIGHBOURS for line in lines)
    )
    running.signal(KILL)
    before = state_of(home, "moved")
    ended = {(run.trial, run.seed) for run in before.perturbed if run.end_reason}
    again = gansweep(home, *arguments, "--json")
    assert again.code == 0, again.err
    lines = events(home, "moved")
    assert made_twice(lines) == []
    assert ended
    assert ended.isdisjoint((n["trial"], n["seed"]) for n in lines[before.lines :] if n["event"] == "attempt")
    around = again.document["plateau"]
    assert around["complete"]
    assert [(row["parameter"], row["seeds"]) for row in around["rows"]] == [("optimiser.lr_g", 2)] * 2
    assert "trial 0 with one parameter moved" in again.err
    assert "# plateau: " in (home / "moved" / "best.yaml").read_text()
    third = gansweep(home, *arguments, "--json")
    assert third.document == again.document
    assert events(home, "moved") == lines
    client = mlflow_client(home)
    (version,) = client.search_model_versions("name='moved'")
    assert client.get_model_version_by_alias("moved", "champion").version == version.version
    assert "plateau: " in version.description


def test_what_cannot_be_picked_is_one_line(whole: Finished) -> None:
    for arguments, said in (
        (("pick", "whole", "--top", "99"), "--top: found 99; whole has"),
        (("pick", "whole", "--seeds", "1"), "--seeds: found 1; valid: 2 or more"),
        (("pick", "whole", "--perturb", "1"), "--perturb: found 1; valid: a factor above 1, such as 1.5"),
        (("pick", "whole", "--perturb-choices"), "--perturb-choices: found without --perturb; valid: with --perturb"),
    ):
        done = gansweep(whole.home, *arguments)
        assert done.code == 2
        assert done.err.startswith(f"gansweep: {said}")
        assert done.err.count("\n") == 1

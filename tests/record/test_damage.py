"""A record that is damaged, in each way and at every line of a small sweep: said in one line, repaired as far as it
can be, with all that was whole kept, and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.record.log import read
from pipeline.space import yaml
from pipeline.sweeps.repair import doctor, examine, repair
from pipeline.training.store import Store
from tests.drivers.fake_tune import MIXED, FakeTune, sweep_file

Damage = Callable[[list[bytes], int], list[bytes]]


def _changed(change: Callable[[dict[str, Any]], Any]) -> Damage:
    def damage(raws: list[bytes], at: int) -> list[bytes]:
        line = json.loads(raws[at])
        change(line)
        return [*raws[:at], json.dumps(line).encode(), *raws[at + 1 :]]

    return damage


def _lacking(line: dict[str, Any]) -> None:
    """The last of the fields that it must have."""
    names = {"sweep": "seed", "driver": "state", "prepared": "floor", "trial": "point", "attempt": "seed"}
    del line[names.get(line["event"], "trial")]


def _no_number(line: dict[str, Any]) -> None:
    line["n"] = "seven"


WAYS: dict[str, Damage] = {
    "missing": lambda raws, at: raws[:at] + raws[at + 1 :],
    "doubled": lambda raws, at: raws[: at + 1] + raws[at:],
    "doubled at the end": lambda raws, at: [*raws, raws[at]],
    "two changed places": lambda raws, at: [*raws[:at], *raws[at : at + 2][::-1], *raws[at + 2 :]],
    "not JSON": lambda raws, at: [*raws[:at], raws[at][: len(raws[at]) // 2], *raws[at + 1 :]],
    "zeros": lambda raws, at: [*raws[:at], b"\0" * len(raws[at]), *raws[at + 1 :]],
    "not UTF-8": lambda raws, at: [*raws[:at], b'{"v": 1, "n": "\xff"}', *raws[at + 1 :]],
    "a list": lambda raws, at: [*raws[:at], b"[1, 2]", *raws[at + 1 :]],
    "an empty line": lambda raws, at: [*raws[:at], b"", *raws[at + 1 :]],
    "an unknown event": _changed(lambda line: line.update(event="measured")),
    "a field is missing": _changed(_lacking),
    "no number": _changed(_no_number),
    "a time that is text": _changed(lambda line: line.update(time="noon")),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The lines of a sweep with three trials, of which one was stopped and one crashed."""
    folder = tmp_path_factory.mktemp("whole")
    FakeTune(folder, plan={key: MIXED[key] for key in (1, 2)}, trials=3).go()
    return (folder / "events.jsonl").read_bytes().splitlines()


def damaged(folder: Path, raws: list[bytes]) -> Path:
    folder.mkdir()
    (folder / "events.jsonl").write_bytes(b"".join(raw + b"\n" for raw in raws))
    (folder / "sweep.yaml").write_text(yaml.dump(sweep_file().tree))
    return folder


def without_number(raw: bytes) -> dict[str, Any]:
    return {name: value for name, value in json.loads(raw).items() if name != "n"}


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_record_is_said_and_repaired_at_every_line(way: str, whole: list[bytes], tmp_path: Path) -> None:
    for at in range(len(whole)):
        raws = WAYS[way](list(whole), at)
        if raws == whole or (at == len(whole) - 1 and way == "missing"):
            continue  # nothing can tell that its last line is not there
        folder = damaged(tmp_path / f"at-{at}", raws)
        path = folder / "events.jsonl"
        before = path.read_bytes()
        with pytest.raises(InputError, match=r"events\.jsonl: line \d+ \(byte \d+\): ") as caught:
            read(path)
        assert "gansweep doctor" in str(caught.value)
        assert "\n" not in str(caught.value)
        code, document = doctor(folder, mend=False)
        assert (code, path.read_bytes()) == (1, before), at
        assert document["faults"]
        repair(folder)
        lines, _ = read(path)  # nothing is wrong with it any more
        assert (folder / "events.jsonl.damaged-1").read_bytes() == before
        assert lines[-1]["event"] == "repaired"
        lost = json.loads(whole[at])
        kept = [{name: value for name, value in line.items() if name != "n"} for line in lines]
        for number, raw in enumerate(whole):
            line = without_number(raw)
            of_lost = lost["event"] == "trial" and line.get("trial") == lost["trial"]
            if number != at and not of_lost:
                assert line in kept, (at, number)
        if way.startswith(("doubled", "two")):
            assert [without_number(raw) for raw in whole] == kept[:-1], at
        assert doctor(folder, mend=True)[0] == 0  # called again it changes nothing
        assert read(path)[0] == lines


@pytest.mark.parametrize("way", ["missing", "not JSON", "an unknown event"])
def test_a_repaired_sweep_is_gone_on_with(way: str, whole: list[bytes], tmp_path: Path) -> None:
    for at in range(0, len(whole) - 1, 2):
        folder = damaged(tmp_path / f"at-{at}", WAYS[way](list(whole), at))
        repair(folder)
        state = FakeTune(folder, plan={key: MIXED[key] for key in (1, 2)}, trials=3).go()
        assert sorted(state.trials) == [0, 1, 2], at
        assert all(trial.state == "finished" for trial in state.trials.values()), at


def test_what_a_lost_trial_left_is_put_aside(whole: list[bytes], tmp_path: Path) -> None:
    events = [json.loads(raw)["event"] for raw in whole]
    at = [number for number, event in enumerate(events) if event == "trial"][1]
    folder = damaged(tmp_path / "one", WAYS["missing"](list(whole), at))
    for number in (0, 1):
        (folder / "trials" / str(number)).mkdir(parents=True)
    said = repair(folder)
    assert any("trial 1 is proposed again; its runs were left out" in line for line in said)
    assert sorted(path.name for path in (folder / "trials").iterdir()) == ["0", "1.damaged-1"]


def test_a_lost_trial_whose_checkpoint_is_there_is_written_again_as_it_was(whole: list[bytes], tmp_path: Path) -> None:
    """Each trial's line in turn; what the sampler proposed then is proposed again."""
    lines = [json.loads(raw) for raw in whole]
    for at in [number for number, line in enumerate(lines) if line["event"] == "trial"]:
        folder = damaged(tmp_path / f"at-{at}", WAYS["not JSON"](list(whole), at))
        number, spec = lines[at]["trial"], lines[at]["spec"]
        Store(folder / "trials" / str(number) / "seed-1").save(100, {"spec": spec, "state": {"best": None}})
        repair(folder)
        again, _ = read(folder / "events.jsonl")
        clock = {"time": lines[at]["time"]}
        assert [line | clock if n == at else line for n, line in enumerate(again[:-1])] == lines
        assert (folder / "trials" / str(number)).exists()


@pytest.mark.parametrize("metrics", ['{"fid": "12"}', '{"fid": true}', '{"fid": null}', "[12.0]", '"fid"'])
def test_numbers_are_verified(metrics: str, whole: list[bytes], tmp_path: Path) -> None:
    at = next(number for number, raw in enumerate(whole) if json.loads(raw)["event"] == "measurement")
    line = json.loads(whole[at])
    line["metrics"] = json.loads(metrics)
    folder = damaged(tmp_path / "one", [*whole[:at], json.dumps(line).encode(), *whole[at + 1 :]])
    with pytest.raises(InputError, match=r"metrics of measurement is .*; valid: a mapping of numbers"):
        read(folder / "events.jsonl")


def test_what_cannot_be_repaired_is_said_and_left(whole: list[bytes], tmp_path: Path) -> None:
    folder = damaged(tmp_path / "one", whole[1:])
    (folder / "sweep.yaml").unlink()
    before = (folder / "events.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"its first line is lost, and cannot be written again: .*sweep\.yaml"):
        repair(folder)
    assert {path.name for path in folder.iterdir()} <= {"events.jsonl", ".driver.guard"}
    assert (folder / "events.jsonl").read_bytes() == before


def test_a_trial_that_is_proposed_twice_is_damage(whole: list[bytes], tmp_path: Path) -> None:
    last = json.loads(whole[-1])
    trial = next(line for raw in whole if (line := json.loads(raw))["event"] == "trial")
    other = {**trial, "n": last["n"] + 1, "time": last["time"] + 1, "point": {"optimiser.lr_g": 1e-3}}
    folder = damaged(tmp_path / "one", [*whole, json.dumps(other).encode()])
    with pytest.raises(InputError, match=f"trial {trial['trial']} is proposed twice"):
        read(folder / "events.jsonl")
    repair(folder)
    again = [line for line in read(folder / "events.jsonl")[0] if line["event"] == "trial"]
    assert again[0]["point"] == trial["point"]
    assert len(again) == sum(json.loads(raw)["event"] == "trial" for raw in whole)


def test_a_torn_last_line_is_no_damage(whole: list[bytes], tmp_path: Path) -> None:
    folder = damaged(tmp_path / "one", whole)
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b'{"v": 1, "n": 99')
    assert len(read(folder / "events.jsonl")[0]) == len(whole)
    assert (examine(folder).faults, examine(folder).torn) == ([], 16)


@pytest.mark.parametrize("change", [{"time": 10**400}, {"trial": 10**12}])
def test_a_number_beyond_all_others_is_a_fault_of_its_line(
    change: dict[str, int], whole: list[bytes], tmp_path: Path
) -> None:
    at = next(number for number, raw in enumerate(whole) if json.loads(raw)["event"] == "trial")
    folder = damaged(tmp_path / "one", _changed(lambda line: line.update(change))(list(whole), at))
    with pytest.raises(InputError, match=rf"line {at + 1} "):
        read(folder / "events.jsonl")
    repair(folder)
    assert examine(folder).faults == []


@pytest.mark.parametrize("trial", [500, 999_999, 1_000_007, 10**12])
def test_a_measurement_of_a_trial_that_never_was_is_left_out(trial: int, whole: list[bytes], tmp_path: Path) -> None:
    at = next(number for number, raw in enumerate(whole) if json.loads(raw)["event"] == "measurement")
    folder = damaged(tmp_path / "one", _changed(lambda line: line.update(trial=trial))(list(whole), at))
    with pytest.raises(InputError, match=f"of trial {trial}, of which there is no line"):
        read(folder / "events.jsonl")
    repair(folder)
    lines, _ = read(folder / "events.jsonl")
    kept = [json.loads(raw) for number, raw in enumerate(whole) if number != at]
    assert [{**line, "n": 0} for line in lines[:-1]] == [{**line, "n": 0} for line in kept]

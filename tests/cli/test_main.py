"""The command line: its verbs and flags, and that whatever is wrong in the input is one line and exit code 2."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from pipeline.cli.main import app
from pipeline.cli.options import size
from pipeline.space.load import load
from tests.cli.conftest import Call, Said

# What each verb takes.
VERBS = {
    "run": "--name --trials --concurrency --max-time --gpu-hours --data --data-root --set --seed --home "
    "--storage --tracking-uri --address --cpus-per-trial --gpus-per-trial --memory-per-trial --resume --dry-run --json",
    "resume": "--trials --max-time --gpu-hours --concurrency --accept-changes --data --data-root --home --tracking-uri "
    "--address --storage --json",
    "pick": "--top --seeds --perturb --perturb-choices --max-time --gpu-hours --data --data-root --home --storage "
    "--json",
    "report": "-o --out --figures --home --storage",
    "export": "-o --out --home --storage",
    "judge": "--top --port --home",
    "compare": "-o --out --home --json",
    "show": "--home --storage",
    "schema": "",
    "replay": "--rules --home --json",
    "stop": "--home --storage --address",
    "status": "--home --storage --json",
    "sync": "--home --tracking-uri",
    "ui": "--compare --home --tracking-uri",
    "train": "--seed --budget --set --data-root -o --out --home --json",
    "generate": "-n --columns --class --truncation --trust-code --interpolate --translate --enlarge --to --explore "
    "--strength --seed -o --out",
    "spaces": "-o --out",
    "conform": "--as --set",
    "doctor": "--address --home --data-root --repair --json",
}


def test_the_verbs_and_flags_are_the_designs() -> None:
    command = typer.main.get_command(app)
    found = {
        name: {option for parameter in verb.params for option in parameter.opts if option.startswith("-")} - {"--help"}
        for name, verb in command.commands.items()  # type: ignore[attr-defined]
    }
    assert found == {name: set(flags.split()) for name, flags in VERBS.items()}


def test_a_space_that_is_right_is_taken(space: Callable[..., Path]) -> None:
    assert load(str(space())).sweep.objective == "fid"


BAD_SPACES = {
    "unknown key": ({"optimizer": "{lr_g: 1e-3}"}, ['unknown key "optimizer"', '"optimiser"']),
    "unknown nested key": ({"optimiser": "{lr: 1e-3}"}, ["optimiser.lr", 'unknown key "lr"', "lr_g"]),
    "unknown key of a network": ({"generator": "{network: dcgan, widht: 8}"}, ["generator.widht", '"width"']),
    "unknown key of the search": ({"search": "{trails: 3}"}, ["search.trails", '"trials"']),
    "unknown key of the rungs": ({"rungs": "{reductoin: 3}"}, ["rungs.reductoin", '"reduction"']),
    "unknown key of a rule": (
        {"health": "{diverged: {treshold: 3}}"},
        ["health.diverged.treshold", '"threshold"'],
    ),
    "unknown rule": ({"health": "{divergd: null}"}, ["divergd", '"diverged"']),
    "unknown signal": (
        {"health": "{mine: {reason: collapsed, signal: covrage, comparison: <, threshold: 1}}"},
        ["covrage", '"coverage"'],
    ),
    "unknown key of a regulariser": ({"regularisers": "{r1: {wieght: 3}}"}, ["regularisers.r1.wieght", '"weight"']),
    "unknown regulariser": ({"regularisers": "{r9: {weight: 3}}"}, ["regularisers", '"r9"', "r1"]),
    "unknown distribution": ({"optimiser": "{lr_g: {lgo: [1e-5, 1e-2]}}"}, ["optimiser.lr_g", "lgo", '"log"']),
    "too large": ({"optimiser": "{lr_g: 5}"}, ["optimiser.lr_g", "found 5", "less than or equal to 1"]),
    "too small": ({"batch_size": "1"}, ["batch_size", "found 1", "greater than or equal to 2"]),
    "not a number": ({"batch_size": "many"}, ["batch_size", 'found "many"', "integer"]),
    "a fraction": ({"batch_size": "8.5"}, ["batch_size", "found 8.5", "integer"]),
    "a boolean": ({"optimiser": "{lr_g: true}"}, ["optimiser.lr_g", "found true", "number"]),
    "infinite": ({"optimiser": "{lr_g: 1e999}"}, ["optimiser.lr_g", "inf", "finite"]),
    "a range beyond": ({"optimiser": "{lr_g: {log: [1e-5, 10]}}"}, ["optimiser.lr_g", "10"]),
    "an option beyond": ({"generator": "{network: dcgan, width: {choice: [8, 0]}}"}, ["generator.width", "found 0"]),
    "no trials": ({"search": "{trials: 0}"}, ["search.trials", "found 0"]),
    "low above high": ({"optimiser": "{lr_g: {log: [1e-2, 1e-5]}}"}, ["optimiser.lr_g", "[0.01, 1e-05]", "valid"]),
    "low is high": ({"optimiser": "{beta1: {uniform: [0.5, 0.5]}}"}, ["optimiser.beta1", "[0.5, 0.5]", "valid"]),
    "log from 0": ({"optimiser": "{lr_g: {log: [0, 1e-2]}}"}, ["optimiser.lr_g", "[0, 0.01]", "valid"]),
    "three ends": ({"optimiser": "{lr_g: {log: [1e-5, 1e-3, 1e-2]}}"}, ["optimiser.lr_g", "valid"]),
    "empty choice": ({"generator": "{network: dcgan, width: {choice: []}}"}, ["generator.width", "empty choice"]),
    "empty labelled choice": ({"regularisers": "{choice: {}}"}, ["regularisers", "empty choice"]),
    "searched budget": ({"budget": "{images: {int: [1000, 2000]}}"}, ["budget.images", "one value"]),
    "known_good outside": (
        {"known_good": "[{generator.width: 8, optimiser.lr_g: 5e-1, regularisers: none}]"},
        ["known_good[0]", "optimiser.lr_g", "found 0.5", "1e-05 to 0.01"],
    ),
    "known_good misspelt": (
        {"known_good": "[{generator.widht: 8, optimiser.lr_g: 2e-4, regularisers: none}]"},
        ["known_good[0]", "generator.widht", '"generator.width"'],
    ),
    "known_good incomplete": ({"known_good": "[{generator.width: 8}]"}, ["known_good[0]", "lacks", "optimiser.lr_g"]),
    "known_good under another branch": (
        {"known_good": "[{generator.width: 8, optimiser.lr_g: 2e-4, regularisers: none, regularisers.r1.weight: 1}]"},
        ["known_good[0]", "regularisers.r1.weight", "r1"],
    ),
    "known_good no list": ({"known_good": "{a: 1}"}, ["known_good", "a list of mappings"]),
    "too deep": ({"generator": "{network: dcgan, depth: 3}"}, ["generator.depth", "found 3", "valid: 1, 2"]),
    "a norm without pixels": ({"generator": "{network: mlp, norm: instance}"}, ["generator.norm", "found instance"]),
    "pixels of points": ({"data": "{name: ring8}"}, ["generator.network", "found dcgan", "valid: mlp"]),
    "unknown data": ({"data": "{name: fashion_mnits}"}, ["data.name", '"fashion_mnits"', '"fashion_mnist"', "ring8"]),
    "unknown metric": ({"objective": "fidd"}, ["objective", '"fidd"', '"fid"']),
    "a metric of other data": ({"objective": "reverse_kl"}, ["objective", "reverse_kl", "fid"]),
    "no objective": ({"objective": None}, ["objective", "missing"]),
    "no data": ({"data": None}, ["data", "missing"]),
    "unknown objective": ({"game": "{objective: hing}"}, ["game.objective", '"hing"', '"hinge"', "wasserstein"]),
    "unknown sampler": ({"search": "{sampler: tpee}"}, ["search.sampler", '"tpee"', '"tpe"', "random"]),
    "unknown network": ({"generator": "{network: transformer}"}, ["generator.network", '"transformer"', "dcgan"]),
    "unknown norm": ({"generator": "{network: dcgan, norm: spectrall}"}, ["generator.norm", '"spectral"']),
    "no network": ({"generator": "{width: 8}"}, ["generator.network", "missing"]),
    "a list for a mapping": ({"optimiser": "[1, 2]"}, ["optimiser", "valid"]),
    "evaluations beyond the budget": ({"evaluation": "{every: 5000}"}, ["evaluation.every", "found 5000", "1000"]),
    "a folder without a resolution": ({"data": "{name: 'imagefolder:x'}"}, ["data.resolution", "missing"]),
}


@pytest.mark.parametrize("case", BAD_SPACES)
def test_a_wrong_space_is_one_line_that_names_file_key_and_what_would_be_valid(
    call: Call, space: Callable[..., Path], case: str
) -> None:
    changes, words = BAD_SPACES[case]
    path = space(**changes)
    line = call("run", path, "--dry-run").line()
    for word in (str(path), *words):
        assert word in line


TEXTS = {
    "not YAML": ("data: {name: digits\nobjective: fid\n", ["line 2", "is not YAML"]),
    "a tab": ("data:\n\tname: digits\n", ["line 2", "is not YAML"]),
    "a list": ("- data\n- objective\n", ["found a list", "a mapping"]),
    "a word": ("digits\n", ['found "digits"', "a mapping"]),
    "nothing": ("", ["found nothing", "a mapping"]),
    "a key twice": ("objective: fid\nobjective: kid\n", ["line 2", '"objective" twice']),
    "an object": ("objective: !!python/object/apply:os.system ['true']\n", ["line 1", "valid: no tags"]),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_file_that_is_no_mapping_of_yaml_is_one_line_with_its_line(
    call: Call, space: Callable[..., Path], case: str
) -> None:
    text, words = TEXTS[case]
    path = space(text)
    line = call("run", path, "--dry-run").line()
    for word in (str(path), *words):
        assert word in line


def test_a_file_that_cannot_be_read(call: Call, tmp_path: Path) -> None:
    assert "presets" not in call("run", tmp_path, "--dry-run").line()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in call("run", "binary.yaml", "--dry-run").line()


def test_a_preset_that_is_not_there_lists_those_there_are(call: Call) -> None:
    line = call("run", "digit", "--dry-run").line()
    for word in ("digit:", '"digits"', "fashion_mnist", "ring8", "grid25"):
        assert word in line


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("optimiser.lr_g", ["KEY=VALUE"]),
        ("=3", ["KEY=VALUE"]),
        ("optimiser..lr_g=3", ["KEY=VALUE"]),
        ("optimizer.lr_g=3", ['"optimizer"', '"optimiser"']),
        ("optimiser.lrg=1e-3", ["optimiser.lrg", "lr_g"]),
        ("optimiser.lr_g={log: [1e-2, 1e-5]}", ["optimiser.lr_g", "valid"]),
        ("optimiser.lr_g={log: [", ["is not YAML"]),
        ("regularisers=r3", ["regularisers"]),
        ("regularisers[r3].r1.weight=1", ['"r3"', "r1"]),
        ("regularisers.r3.weight=1", ["r3", "r1"]),
        ("batch_size=many", ["batch_size", '"many"']),
        ("data.name=digitz", ["data.name", '"digits"']),
    ],
)
def test_a_wrong_setting_is_one_line(call: Call, space: Callable[..., Path], setting: str, words: list[str]) -> None:
    line = call("run", space(), "--dry-run", "--set", setting).line()
    for word in words:
        assert word in line


@pytest.mark.parametrize("name", ["../x", "/etc", "a/b", "..", ".hidden", "", "a b", "-x", "x" * 65, "a\nb"])
def test_a_name_cannot_leave_the_home(call: Call, tmp_path: Path, name: str) -> None:
    for said in (
        call("run", "digits", "--dry-run", f"--name={name}"),
        call("resume", "--", name),
        call("status", "--", name),
        call("stop", "--", name),
        call("sync", "--", name),
    ):
        line = said.line()
        assert "will not do; valid: letters, digits" in line
    assert not (tmp_path / "home").exists()


def test_a_name_that_is_taken_offers_to_resume_or_another(call: Call, sweep: Path) -> None:
    line = call("run", "digits", "--name", "clothes").line()
    assert "gansweep resume clothes" in line
    assert "--name clothes-2" in line


@pytest.mark.parametrize("verb", ["resume", "pick", "status", "stop", "sync", "ui"])
def test_a_sweep_that_is_not_there_lists_those_there_are(call: Call, sweep: Path, verb: str) -> None:
    line = call(verb, "cloths").line()
    assert '"cloths"' in line
    assert '"clothes"' in line


def test_a_home_without_sweeps_says_how_to_begin(call: Call) -> None:
    assert "gansweep run digits" in call("resume", "demo").line()


def test_a_sweep_that_is_not_running_cannot_be_stopped(call: Call, sweep: Path) -> None:
    assert "is not running" in call("stop", "clothes").line()
    assert not (sweep / "stop").exists()


@pytest.mark.parametrize("verb", ["resume", "pick", "status", "sync", "stop"])
def test_a_damaged_record_is_one_line_that_names_its_byte(call: Call, sweep: Path, verb: str) -> None:
    path = sweep / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b"{\n" + whole)
    line = call(verb, "clothes").line()
    assert f"line 2 (byte {len(whole)}): it is not JSON" in line
    assert str(path) in line


def test_a_record_of_a_newer_format_says_what_to_do(call: Call, sweep: Path) -> None:
    path = sweep / "events.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"v": 99}) + "\n")
    assert "install a newer one" in call("status", "clothes").line()


@pytest.mark.parametrize("text", ["4X", "G", "-1G", "nanG", ""])
def test_a_memory_that_is_none_is_one_line(call: Call, text: str) -> None:
    assert (
        f"--memory-per-trial: found {text}; valid: 512M, 4G" in call("run", "digits", "--memory-per-trial", text).line()
    )


@pytest.mark.parametrize(("text", "found"), [("512M", 2**29), ("4GiB", 2**32), ("0.5g", 2**29), ("1000", 1000)])
def test_memory_is_told_in_what_people_write(text: str, found: int) -> None:
    assert size(text) == found


@pytest.mark.parametrize("text", ["nonsense", "", "0", "-5m", "5d", "inf", "nan", "1h30"])
def test_a_time_that_is_none(call: Call, sweep: Path, text: str) -> None:
    for said in (
        call("run", "digits", "--dry-run", f"--max-time={text}"),
        call("resume", "clothes", f"--max-time={text}"),
    ):
        line = said.line()
        assert "--max-time" in line
        assert "valid: 90s, 20m, 2h" in line


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run"], "space"),
        (["run", "digits", "--trials", "0"], "--trials"),
        (["run", "digits", "--trials", "many"], "--trials"),
        (["run", "digits", "--concurrency", "0"], "--concurrency"),
        (["run", "digits", "--gpus-per-trial", "-1"], "--gpus-per-trial"),
        (["run", "digits", "--cpus-per-trial", "0"], "--cpus-per-trial"),
        (["run", "digits", "--seed", "-1"], "--seed"),
        (["run", "digits", "--nam", "x"], "--nam"),
        (["resume"], "name"),
        (["status", "a", "b"], "b"),
        (["rnu"], "rnu"),
        (["generate", "x", "-n", "0"], "-n"),
    ],
)
def test_a_wrong_flag_is_one_line_that_says_where_the_right_ones_are(
    call: Call, arguments: list[str], word: str
) -> None:
    line = call(*arguments).line()
    assert word in line
    assert "--help)" in line


def test_a_tracker_of_no_known_kind(call: Call, sweep: Path) -> None:
    for uri in ("ftp://host", "mlflow.db", "sqlite:///"):
        line = call("sync", "clothes", "--tracking-uri", uri).line()
        assert f'"{uri}"' in line
        assert "valid: sqlite:///" in line


PLUGINS = {
    "does not import": ("import no_such_module\n", "load", ["ModuleNotFoundError", "no_such_module"]),
    "is no Python": ("def load(:\n", "load", ["SyntaxError"]),
    "has no such function": ("def lod(resolution): ...\n", "load", ['has no "load"', '"lod"']),
    "fails": ("def load(resolution):\n    raise OSError('on\\nfire')\n", "load", ["OSError: fire"]),
    "returns no data": ("def load(resolution):\n    return 'x'\n", "load", ["a str", "valid"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", PLUGINS)
def test_a_users_file_that_does_not_do_shows_its_own_last_line(
    call: Call, space: Callable[..., Path], tmp_path: Path, case: str
) -> None:
    text, function, words = PLUGINS[case]
    plugin = tmp_path / "mine.py"
    plugin.write_text(text)
    path = space(data=f"{{name: '{plugin}:{function}', resolution: 8}}")
    said = call("train", path)
    line = Said(said.code, said.out, said.err.splitlines(keepends=True)[-1]).line()
    assert "mine.py" in line
    for word in words:
        assert word in line


@pytest.mark.slow
def test_folders_that_hold_no_images(call: Call, space: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.png").write_text("no picture")
    (tmp_path / "file.txt").write_text("x")
    for name in ("missing", "empty", "text", "file.txt"):
        path = space(data=f"{{name: 'imagefolder:{tmp_path / name}', resolution: 8}}")
        said = call("train", path)
        line = Said(said.code, said.out, said.err.splitlines(keepends=True)[-1]).line()
        assert str(tmp_path / name) in line


@pytest.mark.slow
def test_samples_of_what_is_no_checkpoint(call: Call, tmp_path: Path) -> None:
    (tmp_path / "some.pt").write_bytes(b"no checkpoint")
    assert "no checkpoint" in call("generate", tmp_path / "missing").line()
    assert "some.pt" in call("generate", tmp_path / "some.pt").line()
    assert ".npz" in call("generate", tmp_path / "some.pt", "-o", "samples.gif").line()

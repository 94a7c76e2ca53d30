"""A preset taken along as a file of one's own, which an editor checks by its first line; and what a shell completes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.space.load import presets
from tests.cli.conftest import Call
from tests.report.synthetic import Made


def checked(file: Path) -> tuple[int, str]:
    """The exit code and words of check-jsonschema by the schema that the file's first line names, from its folder."""
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())
    assert named is not None
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(file.parent / named[1]), str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_preset_is_taken_along_with_the_schema_that_it_names(call: Call, tmp_path: Path) -> None:
    said = call("spaces", "digits", "-o", "mine.yaml")
    assert (said.code, said.out) == (0, "mine.yaml\n")
    file = tmp_path / "mine.yaml"
    assert file.read_text() == presets()["digits"].read_text() == call("spaces", "digits").out
    assert checked(file) == (0, "ok -- validation done\n")
    assert call("run", "mine.yaml", "--dry-run").code == 0
    file.write_text(file.read_text().replace("search: {trials: 20}", "search: {trails: 20}"))
    code, words = checked(file)
    assert code == 1
    assert "'trails' was unexpected" in words
    assert "mine.yaml: search.trails: unknown key" in call("run", "mine.yaml", "--dry-run").line()


@pytest.mark.parametrize("preset", presets())
def test_every_preset_names_the_schema_in_its_first_line(preset: str) -> None:
    assert presets()[preset].read_text().startswith("# yaml-language-server: $schema=gansweep.schema.json\n")


def test_what_is_there_is_left_as_it_was(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    line = call("spaces", "digits", "-o", "mine.yaml").line()
    assert line == "gansweep: --out: found mine.yaml, which is there already; valid: a new file"
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert "found no/mine.yaml: No such file" in call("spaces", "digits", "-o", "no/mine.yaml").line()
    assert 'digts: found no preset of this name, did you mean "digits"?' in call("spaces", "digts").line()
    assert "without a preset's name" in call("spaces", "-o", "mine.yaml").line()


def completed(home: Path, *words: str) -> list[str]:
    """What a shell offers for the last of these words."""
    environment = {
        **os.environ,
        "GANSWEEP_HOME": str(home),
        "_GANSWEEP_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["gansweep", *words]),
        "COMP_CWORD": str(len(words)),
    }
    called = "import sys; sys.argv = ['gansweep']; from pipeline.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", called], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_a_shell_completes_verbs_options_and_names(tmp_path: Path) -> None:
    made = Made(tmp_path / "home" / "clothes", trials=3).searched()
    made.pictures([0, 1])
    made.write()
    home = made.folder.parent
    assert completed(home, "rep") == ["report", "replay"]
    assert completed(home, "report", "clothes", "--fig") == ["--figures"]
    assert completed(home, "run", "stylegan") == ["stylegan2", "stylegan2_ada"]
    assert completed(home, "report", "c") == ["clothes"]
    assert completed(home, "compare", "clothes", "c") == ["clothes"]
    assert completed(home, "show", "clothes", "") == ["0", "1"]
    assert completed(tmp_path / "nowhere", "report", "c") == []
    assert completed(home, "show", "shoes", "") == []

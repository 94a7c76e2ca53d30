"""README.md and docs/: made from the code, linked to what is there, and of commands and files that gansweep takes."""

from __future__ import annotations

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import jsonschema
import pytest
import typer

from docs.made.__main__ import PAGES, made
from pipeline.cli.main import VERBS, app
from pipeline.schema.datasets import KNOWN
from pipeline.schema.features import FEATURES
from pipeline.schema.game import GAMES, OBJECTIVES
from pipeline.schema.metrics import METRICS
from pipeline.schema.networks import FAMILIES
from pipeline.schema.optimiser import OPTIMISERS
from pipeline.schema.parts import AugmentationSpec, RegularisersSpec
from pipeline.space.distributions import RANGES
from pipeline.space.json_schema import json_schema
from pipeline.space.yaml import read_mapping

ROOT = Path(__file__).resolve().parent.parent
OURS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*OURS, ROOT / "tests" / "benchmarks" / "README.md", *sorted((ROOT / "deploy").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
MADE = re.compile(r"<!-- made by.*?<!-- end of what is made -->", re.DOTALL)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(path.read_text()) if found == language]


def commands(path: Path) -> list[str]:
    """Each line of a block that is a command, and each command in the text; comments are not of it."""
    text = MADE.sub("", path.read_text())
    lines = [line for block in FENCE.findall(text) if block[0] in ("", "sh") for line in block[1].splitlines()]
    spans = re.findall(r"`([^`]+)`", FENCE.sub("", text))
    whole = [" ".join(each.partition(" # ")[0].split()) for each in [*lines, *spans]]
    return list(dict.fromkeys(each for each in whole if re.match(r"(gansweep|make|python -m) \S", each)))


COMMANDS = sorted({command for path in OURS for command in commands(path)})


@pytest.mark.parametrize("page", PAGES)
def test_what_is_made_is_what_the_code_says_now(page: str) -> None:
    assert (ROOT / "docs" / page).read_text() == made(page), f"docs/{page} is stale: make docs"


def test_the_readme_is_short_and_is_the_distributions() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 6_000
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["readme"] == "README.md"


def anchors(path: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    heads = re.findall(r"(?m)^#+ (.+)$", FENCE.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", LINKED, ids=relative)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text())
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        place, _, anchor = target.partition("#")
        there = (path.parent / place).resolve() if place else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("path", OURS, ids=relative)
def test_every_file_of_ours_that_is_named_is_there(path: Path) -> None:
    """From the checkout's root, or from pipeline/, as docstrings name them."""
    text = FENCE.sub("", path.read_text())
    tops = "docs|deploy|pipeline|search_spaces|tests|" + "|".join(
        each.name
        for each in (ROOT / "pipeline").iterdir()
        if each.is_dir() and not each.name.startswith("_") and each.name != "sweeps"  # which is a user's home too
    )
    for name in re.findall(rf"(?<![\w/.])(?:{tops})/[\w./-]*\w", text):
        assert (ROOT / name).exists() or list((ROOT / "pipeline").glob(f"{name}*")), name


def test_every_page_is_listed_where_a_reader_begins() -> None:
    for index in (ROOT / "docs" / "README.md", ROOT / "README.md"):
        linked = {(index.parent / each).resolve() for each in re.findall(r"\]\(([^)#]+)", index.read_text())}
        assert set((ROOT / "docs").glob("*.md")) - {ROOT / "docs" / "README.md"} - linked == set(), index


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    """Its verb, options and the types of their values; tests/integration/test_documented.py runs them."""
    program, *arguments = shlex.split(command.partition(" > ")[0])
    if program == "make":
        assert re.search(rf"(?m)^{arguments[0]}:", (ROOT / "Makefile").read_text())
    elif program == "python":
        assert importlib.util.find_spec(arguments[1]), command
    elif arguments[0] != "COMMAND" and "..." not in arguments:
        verb = typer.main.get_command(app).commands[arguments[0]]  # type: ignore[attr-defined]
        assert len(arguments) == 1 or verb.make_context(arguments[0], arguments[1:])


def test_every_verb_is_in_a_command() -> None:
    said = {command.split()[1] for command in COMMANDS if command.startswith("gansweep")}
    assert {verb.__name__ for verb in VERBS} - said == set()


@pytest.mark.parametrize("path", OURS, ids=relative)
def test_every_yaml_is_valid(path: Path, tmp_path: Path) -> None:
    schema = {key: value for key, value in json_schema().items() if key != "required"}
    for text in blocks(path, "yaml"):
        (tmp_path / "x.yaml").write_text(text)
        errors = jsonschema.Draft202012Validator(schema).iter_errors(read_mapping(tmp_path / "x.yaml"))
        assert [error.message for error in errors] == [], text


def test_the_table_of_parts_has_every_name() -> None:
    """The text before what is made, where a reader looks for what there is."""
    told = (ROOT / "docs" / "space.md").read_text().partition("<!-- made by")[0]
    words = set(re.findall(r"[\w]+", told))
    names = {*KNOWN, *GAMES, *OBJECTIVES, *FAMILIES, *METRICS, *FEATURES, *OPTIMISERS, *RANGES}
    names |= {*RegularisersSpec.model_fields, *AugmentationSpec.model_fields} - {"own"}
    assert names - words == set()

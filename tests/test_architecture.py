"""The arrows of the design: who may import what, and how long a file may be."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "pipeline").rglob("*.py"))
FENCES = {"ray": "cluster", "optuna": "search", "mlflow": "tracking/mlflow", "obstore": "storage"}
# What is for workers alone; everything else is imported by the driver's process, which has no torch.
WORKERS = ("conformance", "data", "games", "metrics", "sampling", "training")
ALONE = ("pipeline.cli.__main__", "pipeline.cli.train")  # the command itself, and a verb that trains in its process


def imported(tree: ast.AST) -> Iterator[str]:
    """The top-level names of every import anywhere in a module, of importlib.import_module("x") too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value.partition(".")[0]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize(("library", "folder"), FENCES.items())
def test_a_framework_is_imported_in_one_folder_only(library: str, folder: str) -> None:
    users = {p.relative_to(ROOT).as_posix() for p in FILES if library in imported(ast.parse(p.read_text()))}
    assert {user for user in users if not user.startswith(f"pipeline/{folder}/")} == set()


def test_rooms_import_in_one_direction_and_in_no_circle() -> None:
    """The contracts of pyproject.toml, imports for types included."""
    script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_the_driver_imports_does_not_import_torch() -> None:
    workers = tuple(f"pipeline.{room}" for room in WORKERS)
    modules = [name for name in map(module_name, FILES) if not name.startswith(workers) and name not in ALONE]
    script = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
    if "torch" in sys.modules:
        sys.exit(f"importing {{name}} imports torch")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_starts_without_the_frameworks() -> None:
    heavy = {"ray", "optuna", "mlflow", "torch", "sklearn", "scipy", "matplotlib", "pandas"}
    script = f"import sys, pipeline.cli.main; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_files_stay_short() -> None:
    longest = {"pipeline": 300, "tests": 400}
    for folder, most in longest.items():
        files = sorted((ROOT / folder).rglob("*.py"))
        lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files}
        assert {name: length for name, length in lengths.items() if length > most} == {}

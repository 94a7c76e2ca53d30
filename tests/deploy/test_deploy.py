"""The files of deploy/ are what their tools take, agree on versions, and keep to what is said of who reaches what."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
RAYJOB = DEPLOY / "k8s" / "rayjob.yaml"
SKY = DEPLOY / "sky" / "gansweep.yaml"
SKY_SCHEMAS = Path(__file__).with_name("sky.schema.json.gz")  # SkyPilot 0.14.1's own, of a task and of its resources
SCHEMA = Path(__file__).with_name("rayjob.v1.schema.json.gz")  # of KubeRay 1.7.0's CRD, unknown keys refused
SCRIPTS = [DEPLOY / "slurm" / "gansweep.sbatch", *sorted((DEPLOY / "compose" / "scripts").glob("*.sh"))]


def tool(name: str, *arguments: str | Path) -> str:
    """What it says; it must be content."""
    path = Path(sys.executable).with_name(name)
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tree(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def pinned(name: str) -> str:
    (version,) = re.findall(rf"(?m)^{name}==(\S+)$", (ROOT / "constraints.txt").read_text())
    return version


def pods() -> list[dict[str, Any]]:
    cluster = tree(RAYJOB)["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts(path: Path) -> None:
    tool("shellcheck", "--external-sources", "--exclude=SC1091", path)  # what is sourced is in the container


def test_dockerfile() -> None:
    tool("hadolint", "--failure-threshold", "warning", DEPLOY / "docker" / "Dockerfile")


def test_compose() -> None:
    tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_kubernetes() -> None:
    tool("kubernetes-validate", "--strict", DEPLOY / "k8s" / "storage.yaml")
    checker = jsonschema.Draft202012Validator(json.loads(gzip.decompress(SCHEMA.read_bytes())))
    assert [error.message for error in checker.iter_errors(tree(RAYJOB))] == []
    wrong = tree(RAYJOB)
    wrong["spec"]["rayClusterSpec"]["headGroupSpec"]["rayStartParam"] = {}
    assert [error.message for error in checker.iter_errors(wrong)]


def test_skypilot() -> None:
    schemas = json.loads(gzip.decompress(SKY_SCHEMAS.read_bytes()))
    task, resources = (jsonschema.Draft202012Validator(schemas[name]) for name in ("task", "resources"))

    def wrong(tree: dict[str, Any]) -> list[str]:
        return [error.message for error in (*task.iter_errors(tree), *resources.iter_errors(tree["resources"]))]

    assert wrong(tree(SKY)) == []
    assert wrong(tree(SKY) | {"num_node": 2})
    assert wrong(tree(SKY) | {"resources": {"use_spots": True}})


def test_what_skypilot_runs(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text(f"#!/bin/bash\n{tree(SKY)['run']}")
    tool("shellcheck", script)
    assert "ray stop" not in script.read_text()  # SkyPilot's own would be ended with it
    assert "--address auto" not in script.read_text()


def test_versions_are_those_of_the_constraints() -> None:
    project = tree_of_project()
    image = f"gansweep:{project['version']}"
    images = {each["image"] for each in tree(COMPOSE)["services"].values()} | {
        container["image"] for pod in pods() for container in pod["containers"]
    }
    images.add(tree(SKY)["resources"]["image_id"].removeprefix("docker:"))
    assert {each for each in images if each.startswith("gansweep")} == {image}
    assert tree(RAYJOB)["spec"]["rayClusterSpec"]["rayVersion"] == pinned("ray")
    said = (DEPLOY / "ray" / "README.md").read_text()
    assert f"Ray {pinned('ray').rpartition('.')[0]}" in said
    assert f"MLflow {pinned('mlflow').rpartition('.')[0]}" in said
    python = re.findall(r"ARG PYTHON=(\S+)", (DEPLOY / "docker" / "Dockerfile").read_text())
    assert python == [project["requires-python"].removeprefix(">=")]
    for name in ("boto3", "psycopg2-binary"):  # of the extra that the image installs
        assert pinned(name)


def tree_of_project() -> dict[str, Any]:
    import tomllib

    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_images_have_a_version_and_containers_a_limit() -> None:
    services = tree(COMPOSE)["services"]
    for name, service in services.items():
        assert re.fullmatch(r"[\w./-]+:[\d.]+[\w.-]*", service["image"]), name
        assert service["mem_limit"], name
        assert service["cpus"], name
    for pod in pods():
        for container in pod["containers"]:
            assert re.fullmatch(r"[\w./-]+:[\d.]+", container["image"])
            assert container["resources"]["limits"] == container["resources"]["requests"]
    text = "".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    assert ":latest" not in text


def test_nothing_without_a_login_is_open_and_no_password_is_written_down() -> None:
    services = tree(COMPOSE)["services"]
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
    assert tree(COMPOSE)["networks"]["inside"]["internal"]
    assert all("inside" in service["networks"] for service in services.values())
    assert [name for name, service in services.items() if "outside" in service["networks"]] == ["mlflow"]
    allowed = services["mlflow"]["environment"]["ALLOWED_HOSTS"].split(",")
    assert {"mlflow", "mlflow:5000", "localhost:5000"} <= set(allowed)  # the service's own name too
    assert "*" not in allowed
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.name != "README.md":
            assert not re.search(r"(?i)(password|secret|token)\s*[:=]\s*['\"]?[a-z0-9]{6,}", path.read_text()), path
    assert tree(RAYJOB)["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert "RAY_AUTH_MODE=token" in SCRIPTS[0].read_text()
    assert "RAY_AUTH_MODE=token" in tree(SKY)["run"]
    assert tree(SKY)["secrets"] == {"RAY_TOKEN": None}
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
    assert "USER gansweep" in (DEPLOY / "docker" / "Dockerfile").read_text()


def test_each_starts_a_command_that_can_be_started_again() -> None:
    for path in (RAYJOB, SCRIPTS[0], SKY):
        assert re.search(r"gansweep run .*--name \S+ --resume", path.read_text().replace("\\\n", " ")), path


def test_the_chooser_names_what_is_there() -> None:
    text = (DEPLOY / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (DEPLOY / target).exists(), target

"""The environment that people have: what of it is taken, what is in the way, and that doctor says what a run would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline import environment
from pipeline.children import python
from pipeline.cli import doctor
from pipeline.errors import Unreachable
from pipeline.record.home import share, shared_as

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own that these tests are about."""
    for name in ("RAY_ADDRESS", "RAY_TMPDIR", "TMPDIR", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("asked", "variable", "cluster", "named_by"),
    [
        (None, None, None, "RAY_ADDRESS"),
        (None, "127.0.0.1:6379", "127.0.0.1:6379", "RAY_ADDRESS"),
        (None, "  ray://head:10001 ", "ray://head:10001", "RAY_ADDRESS"),
        (None, "", None, "RAY_ADDRESS"),
        (None, "  ", None, "RAY_ADDRESS"),
        (None, "local", None, "RAY_ADDRESS"),
        ("auto", "127.0.0.1:6379", "auto", "--address"),
        ("local", "127.0.0.1:6379", None, "--address"),
        ("head:6379", None, "head:6379", "--address"),
    ],
)
def test_the_cluster_is_of_the_option_then_of_the_variable(
    asked: str | None, variable: str | None, cluster: str | None, named_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    found = environment.address(asked)
    assert (found.cluster, found.named_by) == (cluster, named_by)


@contextmanager
def listening(reply: bytes | None) -> Iterator[int]:
    """The port of a server that says `reply` to whoever comes; None: nothing, for as long as it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                if reply is None:
                    connection.recv(4096)  # until the other side goes
                else:
                    connection.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", None),  # what gRPC begins with
        (b"-ERR unknown command 'PRI'\r\n", "something else than a Ray listens there"),  # a Redis, at Ray's own port
        (b"HTTP/1.0 505 HTTP Version Not Supported\r\n", "something else than a Ray listens there"),  # a dashboard
        (b"SSH-2.0-OpenSSH_9.6\r\n", "something else than a Ray listens there"),
        (b"", "something else than a Ray listens there"),
        (None, "no answer within 0 s"),
    ],
)
def test_who_listens_at_an_address_and_is_no_ray_is_told_from_one(reply: bytes | None, said: str | None) -> None:
    with listening(reply) as port:
        assert environment.answers("127.0.0.1", port, 0.3) == said


def test_doctor_says_who_answers_and_that_a_sweep_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00") as port:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        found = doctor.check_cluster()
    assert (found.state, f"127.0.0.1:{port} (RAY_ADDRESS) answers" in found.said) == ("ok", True)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nobody", "http://127.0.0.1", ":6379", "127.0.0.1:99999999", "7:"])
def test_an_address_without_a_ray_is_missing_and_the_variable_and_the_way_out_are_named(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    found = doctor.check_cluster()
    assert found.state == "missing"
    assert f"{address} (RAY_ADDRESS)" in found.said


LONG = "x" * 60


@pytest.mark.parametrize(
    ("variable", "folder", "said"),
    [
        ("RAY_TMPDIR", f"/tmp/{LONG}", f"RAY_TMPDIR is /tmp/{LONG}, which is too long for Ray's sockets"),
        ("RAY_TMPDIR", "/tmp/" + "ü" * 20, "which is too long for Ray's sockets"),  # bytes, not letters
        ("RAY_TMPDIR", "/proc/nowhere", "RAY_TMPDIR is /proc/nowhere, which cannot be written"),
        ("RAY_TMPDIR", "/dev/null", "RAY_TMPDIR is /dev/null, which cannot be written"),
    ],
)
def test_a_folder_for_ray_that_will_not_do_is_refused_as_doctor_says(
    variable: str, folder: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, folder)
    with pytest.raises(Unreachable) as refused:
        environment.temporary()
    assert said in str(refused.value)
    assert str(refused.value).endswith("name another: RAY_TMPDIR=FOLDER")
    assert doctor.check_temporary() == doctor.Finding("temporary", "missing", str(refused.value))


@pytest.mark.parametrize("folder", [f"/tmp/{LONG}", "/proc/nowhere", "/dev/null"])
def test_a_tmpdir_that_will_not_do_gives_way(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", folder)
    found, why = environment.temporary()
    assert found.parent == Path("/tmp")
    assert why is not None
    assert why.startswith(f"TMPDIR is {folder}, which ")
    assert doctor.check_temporary().state == "note"


def test_a_folder_for_ray_that_will_do_is_taken_and_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(f"/tmp/gs{os.getpid()}")
    monkeypatch.setenv("TMPDIR", str(folder))
    assert environment.temporary() == (folder / "ray", None)
    monkeypatch.setenv("RAY_TMPDIR", str(folder / "a"))
    assert environment.temporary() == (folder / "a" / "ray", None)
    monkeypatch.setenv("RAY_TMPDIR", "")
    assert environment.temporary() == (folder / "ray", None)
    assert not folder.exists()


def test_a_full_folder_for_ray_says_so(small_disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LONGEST_SOCKET", 4096)  # pytest's folders are long
    monkeypatch.setenv("RAY_TMPDIR", str(small_disk(2)))
    with pytest.raises(Unreachable, match=r"has \d MiB left, and Ray wants 64"):
        environment.temporary()


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null", "/dev/null/me", "/proc"])
def test_without_a_home_that_can_be_written_ray_has_a_token_of_its_own(
    home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")  # so that what settle() sets is taken away again
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    environment.settle()
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
    found = doctor.check_user_folder()
    assert (found.state, f"HOME is {home}, which cannot be written" in found.said) == ("note", True)


@pytest.mark.parametrize("given", ["RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"])
def test_a_token_that_is_named_is_left_alone(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc/nowhere")
    monkeypatch.setenv(given, "x")
    environment.settle()
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_a_home_that_can_be_written_keeps_rays_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "with a blank"))
    environment.settle()
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert doctor.check_user_folder().state == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("home", ["/proc/sweeps", "/proc", "/dev/null", "/dev/null/sweeps"])
def test_a_home_of_sweeps_that_cannot_be_written_is_missing_and_the_way_out_is_named(home: str) -> None:
    found = doctor.check_folder(Path(home))
    assert (found.state, found.said) == (
        "missing",
        f"{home} cannot be written; choose another with --home or GANSWEEP_HOME",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="wants root, to be somebody else")
def test_another_users_folder_is_no_home_and_no_traceback(tmp_path: Path) -> None:
    """Somebody who may not look into the folder, with their HOME there too."""
    closed = Path(f"/tmp/gansweep-closed-{os.getpid()}")
    closed.mkdir(mode=0o700)
    child = os.fork()
    if child == 0:
        try:
            os.setuid(44444)
            os.environ.update(HOME=str(closed / "me"), TMPDIR=str(closed / "tmp"))
            found = [doctor.check_folder(closed / "sweeps"), doctor.check_user_folder(), doctor.check_temporary()]
            os._exit(0 if [each.state for each in found] == ["missing", "note", "note"] else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    closed.rmdir()
    assert os.waitstatus_to_exitcode(status) == 0


SHADOWS = ("pipeline", "torch", "ray", "mlflow", "random", "json")


@pytest.mark.parametrize("name", SHADOWS)
def test_a_module_in_the_working_folder_is_not_taken_for_one_of_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for another')\n")
    package = tmp_path / "as_package" / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('taken for another')\n")
    look = f"import pipeline, importlib.util as u; print(u.find_spec({name!r}).origin)"
    for folder in (tmp_path, package.parent):
        done = subprocess.run(python("-c", look), cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert str(tmp_path) not in done.stdout


@pytest.mark.parametrize("given", ["error", "error::DeprecationWarning", "always", ""])
def test_what_is_wanted_of_warnings_does_not_end_a_process_of_ours(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", given)
    warn = "import warnings; warnings.warn('old', DeprecationWarning); print('went on')"
    done = subprocess.run(python("-c", warn), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n")


def test_rays_workers_look_where_things_are_installed_alone(tmp_path: Path) -> None:
    """What Ray puts into a job's configuration for its workers, as its own code adds it."""
    look = (
        "from pipeline.cluster.connecting import Alone; job = Alone()\n"
        "job._py_driver_sys_path.extend(['/somewhere']); job._py_driver_sys_path.append('/else')\n"
        "job._py_driver_sys_path = ['/home']; print(list(job._get_proto_job_config().py_driver_sys_path))"
    )
    done = subprocess.run(python("-c", look), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


@pytest.mark.parametrize(
    ("mode", "umask", "file"),
    [
        (0o2775, 0o022, 0o664),
        (0o2770, 0o027, 0o660),
        (0o777, 0o022, 0o666),
        (0o755, 0o022, 0o644),
        (0o1777, 0o022, 0o644),  # as /tmp, where each has his own
    ],
)
def test_what_is_made_in_a_shared_home_is_as_shared_as_the_home(
    mode: int, umask: int, file: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(mode)
    before = os.umask(umask)
    try:
        share(home)
        (home / "lock").touch()
    finally:
        os.umask(before)
    assert (home / "lock").stat().st_mode & 0o777 == file


@pytest.mark.parametrize(("mode", "file"), [(0o2775, 0o660), (0o777, 0o666), (0o755, 0o600), (0o1777, 0o600)])
def test_a_file_made_with_a_mode_of_its_own_is_opened_to_who_may_write(mode: int, file: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)
    path = tmp_path / "made.safetensors"
    path.touch(0o600)
    shared_as(tmp_path, path)
    assert path.stat().st_mode & 0o777 == file


@pytest.mark.parametrize(
    "given",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1", "TERM": "nonsense"},
        {"PYTHONWARNINGS": "error", "NO_COLOR": "1"},
    ],
)
def test_a_terminal_of_another_kind_is_no_traceback(given: dict[str, str], sweep: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "status", "--home", str(sweep.parent)]
    environ = {**os.environ, **given}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"clothes" in done.stdout


def test_output_that_cannot_be_written_is_one_line(sweep: Path) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "status", "--home", str(sweep.parent)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.decode() == "gansweep: what it prints or reads: No space left on device\n"


@pytest.mark.parametrize("shadow", ["pipeline.py", "pipeline/__init__.py", "pipeline/cli/main.py"])
@pytest.mark.parametrize("text", ["STEPS = 1\n", "raise RuntimeError('not this one')\n", "import sys; sys.exit(7)\n"])
def test_a_pipeline_on_the_pythonpath_is_not_taken_for_ours(shadow: str, text: str, tmp_path: Path) -> None:
    (tmp_path / shadow).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / shadow).write_text(text)
    launcher = ROOT / "pipeline" / "launcher" / "__init__.py"  # is `gansweep` where it is installed
    code = f"import runpy; runpy.run_path({str(launcher)!r})['main']()"
    done = subprocess.run(
        [sys.executable, "-c", code, "spaces"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "digits" in done.stdout

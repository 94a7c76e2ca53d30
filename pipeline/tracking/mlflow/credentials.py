"""User and password of a tracker: kept in this process alone, out of argv, files, the screen and other processes."""

from __future__ import annotations

import configparser
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

NAMES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
URI = "MLFLOW_TRACKING_URI"
_USERINFO = re.compile(r"(?<=://)[^/\s'\"]*@")
_LOGIN = re.compile(r"(?<=://)[^/?#]*@")  # of one address, whatever is in it
_held: dict[str, str] = {}


def public(uri: str) -> str:
    """The address without user and password, which are remembered for this process."""
    found = _LOGIN.search(uri)
    if not found:
        return uri
    user, _, password = found[0].removesuffix("@").partition(":")
    _held[NAMES[0]], _held[NAMES[1]] = unquote(user), unquote(password)
    return uri[: found.start()] + uri[found.end() :]


def take() -> None:
    """Remembers what the environment has of them; it stays as it is, others in this process may want it."""
    for name in NAMES:
        if value := os.environ.get(name):
            _held.setdefault(name, value)


@contextmanager
def hidden() -> Iterator[None]:
    """What is started meanwhile, and inherits this process's environment, does not find them in it."""
    before = dict(os.environ)
    take()
    for name in before.keys() - without().keys():
        del os.environ[name]
    os.environ.update(without())
    try:
        yield
    finally:
        os.environ.update({name: before[name] for name in (*NAMES, URI) if name in before})


def held() -> dict[str, str]:
    """By the names of MLflow's variables: of the address or the environment, else as MLflow's client finds them."""
    take()
    if not _held:
        return _of_file()
    return dict(_held)


def hold(given: Mapping[str, str]) -> None:
    """Takes over what the process that started this one held."""
    _held.update(given)


def to_mlflow() -> None:
    """MLflow's client reads its variables; this process's own, that were not there when it was started, are seen by
    nobody else."""
    os.environ.update(held())


def redact(text: str) -> str:
    """A text that may be shown: without what is held, and without user and password in an address."""
    for name in (NAMES[1], NAMES[2]):
        if len(value := _held.get(name, "")) > 3:
            text = text.replace(value, "***")
    return _USERINFO.sub("***@", text)


class Redacting(logging.Formatter):
    """A log's lines, tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def without() -> dict[str, str]:
    """This process's environment for another one that has no business with the tracker."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    return environment | ({URI: public(environment[URI])} if "@" in environment.get(URI, "") else {})


def _of_file() -> dict[str, str]:
    """~/.mlflow/credentials, as `mlflow.login` or a user wrote it."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(Path.home() / ".mlflow" / "credentials")
    except (OSError, RuntimeError, configparser.Error, UnicodeDecodeError):
        return {}
    if not parser.has_section("mlflow"):
        return {}
    return {name: parser["mlflow"][name.lower()] for name in NAMES[:2] if name.lower() in parser["mlflow"]}

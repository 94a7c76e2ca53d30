"""init_from: a checkpoint that a run's networks start from, pinned by its hash when a sweep is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from pipeline.errors import InputError
from pipeline.schema.base import Strict
from pipeline.schema.checkpoint import file_hash


class InitFromSpec(Strict):
    """path: a checkpoint of ours, or a run's folder (its best one then). The generator starts from the checkpoint's
    average, which is what was evaluated, the discriminator from its weights; optimisers, parts' state and budget
    start anew. partial: what does not fit stays as it was drawn; without it, it is an error.
    freeze_discriminator: the lowest blocks of D, nearest the data, that are not trained (Freeze-D, Mo et al. 2020).
    hash: of the file, filled in when a sweep is read; the file must have it."""

    path: str
    partial: bool = False
    freeze_discriminator: int = Field(0, ge=0)
    hash: str | None = Field(None, pattern=r"^[0-9a-f]{16}$")

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    def check(self) -> None:
        """InputError where the file is not there, or not the one that was pinned."""
        path = Path(self.path)
        if not path.is_file():
            raise InputError(f"init_from.path: found {path}, which is no file; valid: a checkpoint, or a run's folder")
        if self.hash and (now := file_hash(path)) != self.hash:
            raise InputError(
                f"init_from.path: {path} is not the checkpoint that was meant: its hash is {now}, not {self.hash}; "
                "put that one back, or start another sweep or run"
            )

"""What a checkpoint has trained: its game, with the averaged generator's weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import games
from pipeline.games.game import Game
from pipeline.spec.base import parse
from pipeline.spec.trial import TrialSpec
from pipeline.training.store import load


@dataclass(frozen=True)
class Trained:
    """shape: of one sample; images: that it was trained on; class_names: none where classes are numbers, as in older
    checkpoints. The generator is the averaged one, on the CPU."""

    spec: TrialSpec
    game: Game
    shape: tuple[int, ...]
    images: int
    class_names: tuple[str, ...] = ()


def trained(checkpoint: Path) -> Trained:
    """Raises DamagedCheckpoint."""
    content = load(checkpoint)
    state, spec, shape = content["state"], parse(TrialSpec, content["spec"], str(checkpoint)), tuple(content["shape"])
    game = games.build(spec, shape, seed=0, classes=state["classes"])
    game.generator.load_state_dict(state["ema"])
    return Trained(spec, game, shape, state["images"], tuple(state.get("class_names", ())))

"""What a checkpoint has trained: its game, with the averaged generator's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pipeline import games
from pipeline.data.columns import own_units
from pipeline.errors import GansweepError, InputError, with_place
from pipeline.games.game import Game, Progress
from pipeline.record.home import home_of
from pipeline.sampling.trust import check_code, code
from pipeline.schema.checkpoint import find
from pipeline.schema.trial import TrialSpec
from pipeline.training import reading
from pipeline.training.store import DamagedCheckpoint


@dataclass(frozen=True)
class Trained:
    """shape: of one sample; class_names: none where classes are numbers, as in older checkpoints; centre, scale: of a
    standardised table. The generator is the averaged one, on the CPU."""

    spec: TrialSpec
    game: Game
    kind: str
    shape: tuple[int, ...]
    progress: Progress
    class_names: tuple[str, ...] = ()
    centre: Tensor | None = None
    scale: Tensor | None = None

    @property
    def images(self) -> int:
        """That it was trained on."""
        return self.progress.images

    def own_units(self, samples: Tensor) -> Tensor:
        """Samples of the game as the data is: a table's in float64."""
        return own_units(samples, self.centre, self.scale)


def opened(path: Path, trust: bool) -> tuple[Path, Trained]:
    """A checkpoint that a user named, or the best one of a run's folder, and what it has trained. Raises InputError,
    where it is damaged too."""
    file = find(path)
    try:
        return file, trained(file, trust=trust)
    except DamagedCheckpoint as error:
        raise InputError(str(error)) from None


def trained(checkpoint: Path, *, trust: bool = False, home: Path | None = None) -> Trained:
    """trust: code that the checkpoint names may be run, wherever it is from. home: whose sweeps' code may be run, if it
    is what they were trained with; home_of() unless given. Raises DamagedCheckpoint, and InputError in one line for
    code that may not be run, weights that are not finite or not those of its spec."""
    saved = reading.read(checkpoint, ("ema", "discriminator"))
    spec, facts = saved.spec, reading.facts(saved)
    shape, classes = facts.shape, facts.classes
    images, names = saved.state.get("images"), saved.state.get("class_names", [])
    if not isinstance(images, int) or not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InputError(f"{checkpoint}: its state.images or state.class_names is not what gansweep writes")
    if names and len(names) != len(classes):
        raise InputError(f"{checkpoint}: has {len(names)} names for {len(classes)} classes")
    centre, scale = reading.units(saved, shape[0] if len(shape) == 1 else 0)
    reading.finite(saved, "ema")
    if not trust:
        check_code(checkpoint, spec, home or home_of())
    if not code(spec):
        reading.check_sizes(saved)
    with own_code(checkpoint, spec):
        game = games.build(spec, facts, seed=0)
        reading.fits(saved, "ema", game.generator)
        game.generator.load_state_dict(saved.weights["ema"])
    step = saved.state.get("step", 0)
    progress = Progress(step if isinstance(step, int) else 0, images, spec.budget.images)
    return Trained(spec, game, facts.kind, shape, progress, tuple(names), centre, scale)


@contextmanager
def own_code(checkpoint: Path, spec: TrialSpec) -> Iterator[None]:
    """What goes wrong in code of the user's own is said in one line, with its place."""
    try:
        yield
    except GansweepError:
        raise
    except (Exception, SystemExit) as error:
        if not (named := code(spec)):
            raise
        raise InputError(f"{checkpoint}: {', '.join(named)}: {with_place(error)}") from error

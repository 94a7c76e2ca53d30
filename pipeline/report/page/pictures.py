"""The sample pictures that a report shows: the finalists' through their training, and those nearest the data."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipeline.record.home import run_folder
from pipeline.record.runs import Run
from pipeline.record.state import SweepState

FRAMES = 12  # of a run, at most
FINALISTS = 6
WIDEST = 560  # pixels; larger pictures are made smaller
SMALLEST = 256  # smaller ones are shown in whole multiples of their pixels
QUALITY = 82  # of a WebP where that is smaller than the lossless one
BYTES = 4_000_000  # of all pictures in a page


@dataclass(frozen=True)
class Frame:
    """One picture of a run. data: a data URI."""

    images: int
    data: str


@dataclass(frozen=True)
class Strip:
    """A finalist's pictures through its training, all of the same latents."""

    trial: int
    seed: int
    said: str
    frames: tuple[Frame, ...]


def strips(state: SweepState, folder: Path, trials: Sequence[int]) -> list[Strip]:
    """Of each trial that has pictures on this disk, with one seed that as many as possible of them have."""
    runs = {number: _runs(state, number) for number in trials[:FINALISTS]}
    seeds = [run.seed for each in runs.values() for run in each]
    if not seeds:
        return []
    common = max(dict.fromkeys(seeds), key=seeds.count)
    chosen = {n: next((run for run in each if run.seed == common), each[0]) for n, each in runs.items() if each}
    room = BYTES // max(len(chosen), 1)
    made = []
    for number, run in chosen.items():
        frames = _frames(folder, run, room)
        if frames:
            made.append(Strip(number, run.seed, run.end_reason or "running", frames))
    return made


def _runs(state: SweepState, number: int) -> list[Run]:
    """Those with pictures; fresh seeds before the search's."""
    trial = state.trials[number]
    return [
        run for run in (*trial.confirmations.values(), *trial.runs.values()) if any(m.samples for m in run.measurements)
    ]


def _frames(folder: Path, run: Run, room: int) -> tuple[Frame, ...]:
    place = run_folder(folder, run.trial, run.seed)
    there = [(m.images, place / m.samples) for m in run.measurements if m.samples and (place / m.samples).is_file()]
    wanted = min(FRAMES, len(there))
    places = sorted({round(at * (len(there) - 1) / max(wanted - 1, 1)) for at in range(wanted)})
    frames, size = list[Frame](), 0
    for at in reversed(places):  # the last one is the one that matters
        frame = Frame(there[at][0], picture(there[at][1]))
        size += len(frame.data)
        if frames and size > room:
            break
        frames.append(frame)
    return tuple(reversed(frames))


def nearest(state: SweepState, folder: Path, trial: int) -> list[str]:
    """The winner's samples beside the training images nearest to them, as data URIs; none where there are none."""
    for run in _runs(state, trial):
        files = sorted(run_folder(folder, run.trial, run.seed).glob("samples/nearest-*.png"))
        if files:
            return [picture(path) for path in files[:2]]
    return []


def picture(path: Path) -> str:
    """A picture as a data URI, of a size for a page."""
    with Image.open(path) as opened:
        image = opened.convert("RGB") if opened.mode not in ("L", "RGB") else opened.copy()
    if max(image.size) > WIDEST:
        image.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    candidates = []
    for options in ({"lossless": True, "method": 4}, {"quality": QUALITY, "method": 4}):
        into = io.BytesIO()
        image.save(into, "WEBP", **options)
        candidates.append(into.getvalue())
    return "data:image/webp;base64," + base64.b64encode(min(candidates, key=len)).decode()

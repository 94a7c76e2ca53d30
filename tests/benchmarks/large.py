"""Data that does not fit in memory beside the same data held there, and the memory of training at 64 to 256 pixels.

python -m tests.benchmarks.large batches [--images 40000] [--pairs 9]   batches of 64, in turns, held and mapped
python -m tests.benchmarks.large prepare [--images 20000]               a folder made into a cache, either way
python -m tests.benchmarks.large steps FAMILY RESOLUTION [MICROBATCH]     two steps of 16 images: seconds and memory
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pipeline.data import rows
from pipeline.data.batches import REAL, Batches, Domain
from pipeline.data.cache import cached
from pipeline.data.dataset import load, parted
from pipeline.schema.trial import DataSpec, TrialSpec, resolve
from pipeline.training.state import initial
from pipeline.training.step import step

SIDE, BATCH, DRAWN = 64, 64, 100  # pixels; images of a batch; batches of a turn
MEGABYTE = 2**20


def own_memory() -> int:
    """Megabytes of this process's own, without the files that it maps, which the system can take back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("RssAnon"))


def batches(images: int, pairs: int) -> None:
    samples = torch.randint(0, 256, (images, 3, SIDE, SIDE), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        mapped = cached(Path(folder) / "x.safetensors", lambda: ({"x": samples}, {}))[0]["x"]
        both = [Batches({REAL: Domain(each)}, torch.device("cpu"), BATCH) for each in (samples, mapped)]
        seconds: list[list[float]] = [[], []]
        for pair in range(pairs):
            for which in (0, 1) if pair % 2 else (1, 0):
                randomness, start = torch.Generator().manual_seed(pair), time.process_time()
                for _ in range(DRAWN):
                    both[which].next(randomness)
                seconds[which].append(time.process_time() - start)
        held, streamed = (1000 * statistics.median(each) / DRAWN for each in seconds)
        ratio = statistics.median(two / one for one, two in zip(*seconds, strict=True))
        size = samples.numel() // MEGABYTE
        print(f"{size} MB: a batch {held:.3f} ms held, {streamed:.3f} ms mapped, ratio {ratio:.3f}")


def prepare(images: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        random = np.random.RandomState(0)
        for number in range(images):
            small = Image.fromarray(random.randint(0, 256, (8, 8, 3)).astype(np.uint8)).resize((SIDE, SIDE))
            small.save(pictures / f"{number:06}.png")
        for name, share in (("streamed", 0.0), ("held", rows.SHARE)):
            rows.SHARE = share
            before, start = own_memory(), time.process_time()
            peak = _Peak()
            found = load(DataSpec(name=f"imagefolder:{pictures}", resolution=SIDE), None, Path(folder) / name)
            print(
                f"{name}: {time.process_time() - start:.1f} s, {peak.stop() - before} MB of its own at most, "
                f"{found.fingerprint}"
            )


class _Peak:
    """The most of this process's own memory, looked at every few milliseconds."""

    def __init__(self) -> None:
        self._most, self._on = 0, True
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while self._on:
            self._most = max(self._most, own_memory())
            time.sleep(0.005)

    def stop(self) -> int:
        self._on = False
        self._thread.join()
        return self._most


def steps(family: str, resolution: int, microbatch: int | None) -> None:
    network = {"network": family, "width": 64 if resolution <= 64 else 16}
    tree: dict[str, Any] = {
        "data": {"name": "imagefolder:none", "resolution": resolution},
        "budget": {"images": 1000},
        "evaluation": {"every": 1000},
        "batch_size": 16,
        "microbatch": microbatch,
        "generator": network,
        "discriminator": network,
    }
    spec = resolve(TrialSpec.model_validate(tree), cuda=False)
    images = torch.randint(0, 256, (200, 3, resolution, resolution), dtype=torch.uint8)
    state = initial(spec, parted(spec.data, images, torch.arange(200) % 2), 1)
    before, peak, start = own_memory(), _Peak(), time.process_time()
    for _ in range(2):
        step(state, state.batches.next(state.randomness), state.randomness)
    used, seconds = peak.stop() - before, (time.process_time() - start) / 2
    sides = (state.game.generator, state.game.discriminator)
    weights = sum(each.numel() for side in sides for each in side.parameters())
    print(
        f"| {family} {resolution}, width {network['width']}, {weights / 1e6:.1f} M | {microbatch or 16} | "
        f"{seconds:.1f} | {used} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} |"
    )


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("batches", "prepare", "steps"))
    parser.add_argument("of", nargs="*")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=9)
    asked = parser.parse_args()
    if asked.what == "batches":
        batches(asked.images, asked.pairs)
    elif asked.what == "prepare":
        prepare(asked.images)
    else:
        family, resolution, *microbatch = asked.of
        steps(family, int(resolution), int(microbatch[0]) if microbatch else None)


if __name__ == "__main__":
    main()

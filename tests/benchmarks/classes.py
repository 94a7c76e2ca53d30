"""Whether the samples of a conditional generator are of the class that was asked for, by a judge of its own.

python -m tests.benchmarks.classes RUN --data-root FOLDER [--each 1000] [--cache FOLDER]

RUN: a run's folder or a checkpoint, of a game with a condition on labelled images, such as the best trial of
`gansweep run conditional`. The judge is a residual network, trained here on the training part: other layers, other
initial weights and other batches than the classifier whose features FID is measured on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.games import latent
from pipeline.sampling.trained import trained
from pipeline.schema.checkpoint import find
from pipeline.schema.trial import TrialSpec
from pipeline.training.making import sampled

SEED, BATCH, CHUNK = 77, 128, 500


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.past = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.way(x) + self.past(x))


def judge(data: Dataset, epochs: int) -> nn.Module:
    """A residual network trained on the training part."""
    torch.manual_seed(SEED)
    network = nn.Sequential(
        nn.Conv2d(data.channels, 16, 3, 2, 1), Block(16, 32, 1), Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, data.classes),
    )  # fmt: skip
    assert data.train_labels is not None
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    batches = [index for _ in range(epochs) for index in torch.randperm(len(data.train)).split(BATCH)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, len(batches))
    for index in batches:
        loss = nn.functional.cross_entropy(network(to_float(data.train[index])), data.train_labels[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def said(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(to_float(chunk)).argmax(1) for chunk in images.split(CHUNK)])


def drawn(run: Path, each: int) -> tuple[TrialSpec, int, Tensor, Tensor]:
    """Its spec, the images it was trained on, and `each` samples a class, (N, C, R, R) in [-1, 1], with their classes;
    of the averaged generator."""
    found = trained(find(run))
    spec, game = found.spec, found.game
    if not game.classes:
        raise SystemExit(f"{run}: found a game without a condition; valid: a conditional one")
    labels = torch.arange(len(game.classes)).repeat_interleave(each)
    z = latent.draw(spec.latent, len(labels), torch.Generator().manual_seed(SEED))
    return (
        spec,
        found.images,
        sampled(game, game.generator, {"latent": z, "label": labels}, spec, found.progress)["samples"],
        labels,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--each", type=int, default=1_000)
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    spec, images, samples, asked = drawn(arguments.run, arguments.each)
    with tempfile.TemporaryDirectory() as temporary:
        data = load(spec.data, arguments.data_root, arguments.cache or Path(temporary))
    network = judge(data, arguments.epochs)
    real, found = said(network, data.test) == data.test_labels, said(network, samples) == asked
    print(f"{arguments.run.name} at {images:,} images, {arguments.each} samples a class; right, by class:")
    print("| | " + " | ".join(str(each) for each in range(data.classes)) + " | all |")
    print("|---" * (data.classes + 2) + "|")
    for name, right, classes in (("real test images", real, data.test_labels), ("samples", found, asked)):
        assert classes is not None
        cells = [f"{float(right[classes == each].float().mean()):.1%}" for each in range(data.classes)]
        print(f"| {name} | {' | '.join(cells)} | {float(right.float().mean()):.1%} |")

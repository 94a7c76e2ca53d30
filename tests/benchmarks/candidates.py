"""Ways in which a small network learns features without labels, beside the one that gansweep has."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset
from pipeline.metrics.convnet import ConvNet, shell
from pipeline.metrics.selfsupervised import views

SHOWN = 100_000  # images, as the classifier is at most
BATCH, PAIRS = 64, 256
TEMPERATURE, HEAD = 0.2, (128, 64)


def trained(network: nn.Module, data: Dataset, batch: int, loss: Callable[[Tensor], Tensor]) -> None:
    """By Adam at a rate that falls linearly. loss: of training images (batch, C, R, R) in [-1, 1]."""
    steps = SHOWN // batch
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3 * (batch / BATCH) ** 0.5)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, steps)
    for _ in range(steps):
        value = loss(to_float(data.train[torch.randint(len(data.train), (batch,))]))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()


def turned(data: Dataset, width: int, mirrored: bool = False) -> ConvNet:
    """By how many quarters an image is turned (Gidaris et al. 2018), and whether it is mirrored."""
    network, ways = shell(data, width), 8 if mirrored else 4
    classify = nn.Sequential(network, nn.ReLU(), nn.Linear(width, ways))
    labels = torch.arange(BATCH) * ways // BATCH

    def loss(images: Tensor) -> Tensor:
        parts = images.chunk(ways)
        shown = [torch.rot90(part.flip(3) if at > 3 else part, at % 4, (2, 3)) for at, part in enumerate(parts)]
        return nn.functional.cross_entropy(classify(torch.cat(shown)), labels)

    trained(classify, data, BATCH, loss)
    return network


def autoencoder(data: Dataset, width: int) -> ConvNet:
    network, size = shell(data, width), data.train[0].numel()
    whole = nn.Sequential(network, nn.ReLU(), nn.Linear(width, 512), nn.ReLU(), nn.Linear(512, size))
    trained(whole, data, BATCH, lambda images: (whole(images) - images.flatten(1)).square().mean())
    return network


def contrastive(data: Dataset, width: int, compare: Callable[[Tensor, Tensor], Tensor]) -> ConvNet:
    """Two views of an image are to be alike, behind a head that is thrown away."""
    network = shell(data, width)
    whole = nn.Sequential(network, nn.ReLU(), nn.Linear(width, HEAD[0]), nn.ReLU(), nn.Linear(*HEAD))
    trained(whole, data, PAIRS, lambda images: compare(*whole(torch.cat([views(images), views(images)])).chunk(2)))
    return network


def simclr(one: Tensor, other: Tensor) -> Tensor:
    """Chen et al. 2020, eq. 1."""
    both = nn.functional.normalize(torch.cat([one, other]), dim=1)
    alike = (both @ both.T / TEMPERATURE).fill_diagonal_(-1e9)
    return nn.functional.cross_entropy(alike, torch.arange(len(both)).roll(len(one)))


def vicreg(one: Tensor, other: Tensor) -> Tensor:
    """Bardes et al. 2022, eq. 6."""
    loss = 25 * nn.functional.mse_loss(one, other)
    for found in (one, other):
        deviation = (found.var(0) + 1e-4).sqrt()
        covariance = found.T.cov()
        loss = loss + 25 * (1 - deviation).relu().mean()
        loss = loss + (covariance.square().sum() - covariance.diagonal().square().sum()) / found.shape[1]
    return loss


def barlow_twins(one: Tensor, other: Tensor) -> Tensor:
    """Zbontar et al. 2021, eq. 1."""
    one, other = ((found - found.mean(0)) / found.std(0) for found in (one, other))
    correlation = one.T @ other / len(one)
    apart = correlation.square().sum() - correlation.diagonal().square().sum()
    return (1 - correlation.diagonal()).square().sum() + 0.01 * apart


CANDIDATES: dict[str, Callable[[Dataset, int], nn.Module]] = {
    "rotation": turned,
    "rotation and mirror": lambda data, width: turned(data, width, mirrored=True),
    "autoencoder": autoencoder,
    "simclr": lambda data, width: contrastive(data, width, simclr),
    "vicreg": lambda data, width: contrastive(data, width, vicreg),
    "barlow twins": lambda data, width: contrastive(data, width, barlow_twins),
}

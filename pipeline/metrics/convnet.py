"""The small convolutional extractor: trained on a set's labels, or random and calibrated where there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset

EPOCHS = 40
SHOWN = 100_000  # images at most over the training, fewer above 32 x 32: seconds on one thread, not minutes
BATCH = 64
CALIBRATION = 1024  # training images


class ConvNet(nn.Module):
    """(N, C, R, R) in [-1, 1] -> (N, width) features: strided 3x3 convolutions down to 8 x 8 or less, one linear."""

    def __init__(self, channels: int, resolution: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, after, side, stride = channels, 32, resolution, 1 if resolution <= 16 else 2
        while len(layers) < 4 or side > 8:
            layers += [nn.Conv2d(before, after, 3, stride, 1), nn.ReLU()]
            before, after, side, stride = after, 64, -(-side // stride), 2
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * side * side, width))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.body(images)
        return features

    def maps(self, images: Tensor) -> Tensor:
        """(N, C, r, r): the activations of the last convolution."""
        maps: Tensor = self.body[:-2](images)
        return maps


def shell(data: Dataset, width: int) -> ConvNet:
    """The network for images of a data set."""
    return ConvNet(data.channels, int(data.resolution or 0), width)


def trained(data: Dataset, width: int) -> tuple[ConvNet, float]:
    """The network trained on the training part alone, with its accuracy on the validation part; the same each time."""
    assert data.train_labels is not None
    assert data.validation_labels is not None
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = shell(data, width)
        classify = nn.Sequential(network, nn.ReLU(), nn.Linear(width, data.classes))
        train(classify, data.train, data.train_labels)
        with torch.no_grad():
            predicted = torch.cat([classify(to_float(chunk)).argmax(1) for chunk in data.validation.split(512)])
    return network, float((predicted == data.validation_labels).float().mean())


def train(
    classify: nn.Module,
    images: Tensor,
    labels: Tensor,
    views: Callable[[Tensor], Tensor] = lambda batch: batch,
    epochs: int = EPOCHS,
) -> float:
    """By cross entropy, with batches drawn from torch's generator. views: what is shown in place of a batch in [-1, 1].
    The loss of the last batch."""
    side = max(images.shape[2], 32)
    steps = min(epochs * len(images), SHOWN * 32**2 // side**2) // BATCH
    optimiser = torch.optim.Adam(classify.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, steps)
    for _ in range(steps):
        index = torch.randint(len(images), (BATCH,))
        loss = nn.functional.cross_entropy(classify(views(to_float(images[index]))), labels[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return float(loss.detach())


def random(data: Dataset, width: int) -> ConvNet:
    """The network with random weights, the outputs of each layer on training images scaled to mean 0 and variance 1
    a channel: without that its features are nearly the same one over and over."""
    with one_thread(), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = shell(data, width)
        x = to_float(data.train[:CALIBRATION])
        for layer in network.body:
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                _calibrate(layer, layer(x))
            x = layer(x)
    return network


def _calibrate(layer: nn.Conv2d | nn.Linear, outputs: Tensor) -> None:
    axes = (0, 2, 3) if outputs.dim() == 4 else (0,)
    mean, std = outputs.mean(axes), outputs.std(axes)
    std = torch.where(std > 0, std, 1.0)  # a channel that is constant on these images
    assert layer.bias is not None
    layer.weight.div_(std.view(-1, *[1] * (layer.weight.dim() - 1)))
    layer.bias.sub_(mean).div_(std)


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in another order are other sums: weights are the same only for the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

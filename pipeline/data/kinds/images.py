"""Images: kept as uint8 (N, C, H, W), trained and measured on as float32 in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

MEASURE = "pipeline.metrics.of_images:ImageMeasure"
EVALUATED = 2000  # samples at an evaluation, at most, where the spec leaves it open
RETURNED = "images (N, C, H, W) with H = W, uint8 or float in [-1, 1]"


def takes(samples: Tensor) -> bool:
    """Whether what a function returned is of this kind."""
    values = samples.is_floating_point() or samples.dtype == torch.uint8
    return values and samples.dim() == 4 and samples.shape[2] == samples.shape[3] and samples.shape[1] in (1, 3)


def kept(samples: Tensor) -> Tensor:
    """As they are kept. Raises ValueError, with what was found, for values that cannot be."""
    if samples.dtype == torch.uint8:
        return samples
    low, high = float(samples.min()), float(samples.max())
    if low < -1 or high > 1:
        raise ValueError(f"found float images in [{low:.4g}, {high:.4g}]")
    return ((samples.float() + 1) * 127.5).round().to(torch.uint8)


def notes(samples: Tensor) -> tuple[str, ...]:
    """Of what a function returned: values that look as if white were 1."""
    if not samples.numel():
        return ()
    low, high = float(samples.min()), float(samples.max())
    if samples.is_floating_point() and 0 <= low <= high <= 1:
        return (
            "its float images are in [0, 1], and -1 is black: what is 0 is taken for mid-grey; "
            "2 * x - 1 brings them to [-1, 1]",
        )
    if samples.dtype == torch.uint8 and high <= 1:
        return (f"its uint8 images have no value above {high:g}, and 255 is white: all is nearly black",)
    return ()


def laid_out(samples: Tensor, memory_format: torch.memory_format) -> Tensor:
    return samples.to(memory_format=memory_format)


def pictured(samples: Tensor) -> Tensor:
    """What a picture is made of, images or points: a grid of them."""
    return samples


def resized(samples: Tensor, resolution: int) -> Tensor:
    """(N, C, H, H) at another resolution, bilinear with antialias, in chunks to bound memory."""
    parts = [
        torch.nn.functional.interpolate(
            chunk.float(), size=(resolution, resolution), mode="bilinear", antialias=True, align_corners=False
        )
        for chunk in samples.split(4096)
    ]
    return torch.cat([part.round().clamp(0, 255).to(torch.uint8) for part in parts])

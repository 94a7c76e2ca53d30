"""Small images made of large ones, and the plain way back: what super-resolution learns from and is held against."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from pipeline.schema.trial import LowSpec


def reduced(images: Tensor, low: LowSpec) -> Tensor:
    """Float images (N, C, H, W) in [-1, 1] -> (N, C, H / factor, W / factor), as a picture can have them: what bicubic
    overshoots at edges is cut off, as it is where a small image is saved."""
    if low.filter == "area":
        return avg_pool2d(images, low.factor)
    size = [side // low.factor for side in images.shape[2:]]
    return interpolate(images, size, mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def enlarged(images: Tensor, factor: int) -> Tensor:
    """Float images (N, C, H, W) in [-1, 1] -> (N, C, factor * H, factor * W), bicubic."""
    return interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False).clamp(-1, 1)

"""What is made beside the image that it should be: L1, PSNR and SSIM, and the same of bicubic enlarging."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from pipeline.data.reducing import enlarged, reduced
from pipeline.metrics.own import Evaluated
from pipeline.schema.trial import LowSpec

CHUNK = 256  # images
RANGE = 2.0  # of values in [-1, 1]


def l1(seen: Evaluated) -> float:
    """The mean absolute difference of values in [-1, 1]."""
    return float((seen.samples - seen.real).abs().mean())


def psnr(seen: Evaluated) -> float:
    """10 log10(range^2 / mean square error) in dB, of the error over all values of all images: a mean over images
    would be infinite by one that is met exactly."""
    return float(peak_signal_noise_ratio(seen.samples, seen.real, data_range=RANGE))


def ssim(seen: Evaluated) -> float:
    """The structural similarity (Wang et al. 2004: Gaussian windows of 11 x 11, deviation 1.5), the mean over images
    and their channels."""
    parts = zip(seen.samples.split(CHUNK), seen.real.split(CHUNK), strict=True)
    similarities = [structural_similarity_index_measure(*each, data_range=RANGE, reduction="none") for each in parts]
    return float(torch.cat([each for each in similarities if isinstance(each, Tensor)]).mean())


def bicubic(real: Tensor, low: LowSpec) -> Tensor:
    """What bicubic interpolation makes of the small images of these (N, C, H, W), float in [-1, 1]."""
    return torch.cat([enlarged(reduced(part, low), low.factor) for part in real.split(CHUNK)])


def of_bicubic(seen: Evaluated, distance: Mapping[str, float]) -> dict[str, float]:
    """The metrics of what bicubic() made, under names of their own. distance: the one that has a floor."""
    metrics = {**distance, "psnr": psnr(seen), "ssim": ssim(seen)}
    return {f"bicubic_{name}": value for name, value in metrics.items()}

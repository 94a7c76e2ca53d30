"""Pictures of samples: a grid of images, or a scatter plot of points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from torch import Tensor

from pipeline.data.batches import to_uint8
from pipeline.data.cache import replaced
from pipeline.data.columns import own_units

WIDTH = 384  # pixels, at least
LETTERS, LONGEST = 14, 24  # of a row's name: pixels high, and how many
FRAME = 128  # grey
RED = (255, 0, 0)
REAL = "darkgrey"
# How a picture says that it is synthetic: PNG text, the last one in IPTC's words, and those words in XMP too, which is
# where readers of IPTC's metadata look (IPTC Photo Metadata Standard, "Digital Source Type").
MARKS = {
    "Software": "gansweep",
    "Synthetic": "made by a generative adversarial network; not a record of anything",
    "DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
}


XMP = "XML:com.adobe.xmp"  # the name of a PNG's text that is XMP (XMP Specification part 3, 1.1.5)
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    ' xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    f' Iptc4xmpExt:DigitalSourceType="{MARKS["DigitalSourceType"]}" xmp:CreatorTool="{MARKS["Software"]}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


class Behind(NamedTuple):
    """What points are shown over: a mixture's means (modes, 2), which are marked, or real points (N, D)."""

    means: Tensor | None = None
    reals: Tensor | None = None


NOTHING = Behind()


def save_grid(samples: Tensor, path: Path, columns: int, rows: Sequence[str] = (), behind: Behind = NOTHING) -> None:
    """Writes a PNG that says that it is synthetic, whole or not at all.

    samples: images (N, C, H, W) in [-1, 1], laid out in rows of `columns`, small ones scaled up by a whole factor;
    with the names of the `rows` beside them; or points (N, D), over what is `behind` them.
    A value that is not finite is shown in red.
    """
    samples = samples.detach().cpu().float()
    images = samples.dim() == 4
    _save(_named(_tiles(samples, columns), rows) if images else _scatter(samples, *behind), path)


def save_image(sample: Tensor, path: Path) -> None:
    """Writes one image (C, H, W) in [-1, 1] as it is, as a PNG that says that it is synthetic."""
    pixels = to_uint8(sample.detach().cpu()).permute(1, 2, 0).squeeze(2)
    _save(Image.fromarray(pixels.numpy()), path)


def _save(picture: Image.Image, path: Path) -> None:
    """Whole or not at all."""
    marks = PngImagePlugin.PngInfo()
    for name, value in MARKS.items():
        marks.add_text(name, value)
    marks.add_itxt(XMP, PACKET)
    with replaced(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=marks)


def plotted(rows: Tensor, centre: Tensor | None, scale: Tensor | None) -> Tensor:
    """The rows of a table as its picture has them: in their own units where axes are columns, one or two; of more the
    plane is that of the standardised columns, in which none outweighs the others."""
    return own_units(rows, centre, scale) if rows.dim() == 2 and rows.shape[1] <= 2 else rows


def _tiles(images: Tensor, columns: int) -> Image.Image:
    """Each image scaled up without smoothing, in a thin grey frame: digits of 8 x 8 run into each other without."""
    count, _, height, width = images.shape
    coloured = to_uint8(images.nan_to_num(0.0)).expand(count, 3, height, width)
    broken = ~images.isfinite().all(1, keepdim=True)
    cells = torch.where(broken, torch.tensor(RED, dtype=torch.uint8).view(3, 1, 1), coloured)
    factor = max(1, -(-WIDTH // (columns * width)))
    cells = cells.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    cells = torch.nn.functional.pad(cells, (1, 1, 1, 1), value=FRAME)
    rows, (height, width) = -(-count // columns), cells.shape[2:]
    blank = torch.full((rows * columns - count, 3, height, width), FRAME, dtype=torch.uint8)
    grid = torch.cat([cells, blank]).view(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2)
    return Image.fromarray(grid.reshape(rows * height, columns * width, 3).numpy())


def _named(grid: Image.Image, rows: Sequence[str]) -> Image.Image:
    """The names in a margin on the left, each in the middle of its row."""
    if not rows:
        return grid
    import matplotlib

    height = grid.height / len(rows)
    size = max(8, min(LETTERS, int(height)))
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
    names = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in rows]
    margin = round(max(font.getlength(name) for name in names)) + size
    whole = Image.new("RGB", (margin + grid.width, grid.height), "white")
    whole.paste(grid, (margin, 0))
    for at, name in enumerate(names):
        ImageDraw.Draw(whole).text((margin - size / 2, (at + 0.5) * height), name, "black", font, anchor="rm")
    return whole


def _scatter(points: Tensor, means: Tensor | None, reals: Tensor | None) -> Image.Image:
    """The view holds the means and a margin, or the reals and a margin; how many points are outside it, or not
    finite, is written under it. One column is a histogram, more than two are seen on the plane in which the reals
    (the samples where there are none) spread most."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    finite = points[points.isfinite().all(1)]
    figure = Figure(figsize=(4.8, 4.8), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.locator_params(nbins=4)  # each tick takes a hundredth of an evaluation of points
    outside, width = 0, points.shape[1]
    if width > 2 and (reals is not None or len(finite) > 1):
        seen = finite if reals is None else reals
        centre, plane = seen.mean(0), _principal_plane(seen)
        finite = (finite - centre) @ plane
        reals = None if reals is None else (reals - centre) @ plane
    if width == 1:
        edges = np.histogram_bin_edges((finite if reals is None else reals).numpy(), 40)
        outside = int(((finite < float(edges[0])) | (finite > float(edges[-1]))).sum())
        for each, colour in ((reals, REAL), (finite, "C0")):
            if each is not None:
                weights = np.full(len(each), 1 / max(len(each), 1))
                axes.hist(each[:, 0].numpy(), bins=edges.tolist(), weights=weights, alpha=0.5, color=colour)
    else:
        if reals is not None:
            axes.scatter(reals[:, 0].numpy(), reals[:, 1].numpy(), s=4, linewidths=0, color=REAL)
            (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
            axes.set_xlim(left, right)
            axes.set_ylim(low, high)
            held = (finite > torch.tensor([left, low])) & (finite < torch.tensor([right, high]))
            outside = int((~held.all(1)).sum())
        axes.scatter(finite[:, 0].numpy(), finite[:, 1].numpy(), s=4, alpha=0.5, linewidths=0)
    if width == 2 and reals is None:  # a table's columns have units of their own
        axes.set_aspect("equal")
    if means is not None:
        axes.scatter(means[:, 0].numpy(), means[:, 1].numpy(), marker="+", s=60, color="black", linewidths=0.8)
        reach = 1.5 * float(means.abs().max())
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-reach, reach)
        outside = int((finite.abs() > reach).any(1).sum())
    whose = "their" if reals is None else "the reals'"
    about = f"on {whose} first two axes: " if width > 2 else ""
    axes.set_xlabel(f"{about}{len(points)} samples, {outside} outside, {len(points) - len(finite)} not finite")
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _principal_plane(points: Tensor) -> Tensor:
    """(D, 2): the two directions of most variance."""
    vectors: Tensor = torch.linalg.eigh(torch.cov(points.double().T)).eigenvectors
    return vectors[:, -2:].flip(1).float()

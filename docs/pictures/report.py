"""Draws docs/pictures/report.png: the top of `gansweep report demo`, after a pick."""

from __future__ import annotations

from docs.pictures.browser import saved
from docs.pictures.demo import HOME, picked
from pipeline.report.page.page import REPORT, write
from pipeline.sweeps.sweep import Sweep

if __name__ == "__main__":
    folder = picked()
    write(Sweep.open(folder.name, home=HOME).state(), folder, folder / REPORT)
    print(saved("report", folder / REPORT, width=1180, height=900))

"""Draws docs/pictures/report.png: the top of `gansweep report demo`, after a pick."""

from __future__ import annotations

import os

from docs.pictures.browser import saved
from docs.pictures.demo import HOME, ROOT, picked
from pipeline.report.page.page import REPORT, write
from pipeline.sweeps.sweep import Sweep

if __name__ == "__main__":
    os.chdir(ROOT)  # the page says where the sweep is: by nobody's own folders
    home = HOME.relative_to(ROOT)
    os.environ["GANSWEEP_HOME"] = str(home)
    folder = home / picked().name
    write(Sweep.open(folder.name, home=home).state(), folder, folder / REPORT)
    print(saved("report", (folder / REPORT).absolute(), width=1180, height=900))

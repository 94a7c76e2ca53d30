"""The model card: failures, licences, and nothing of the machine that it was made on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.picking.verdict import verdict
from pipeline.record.events import Prepared
from pipeline.record.state import SweepState
from pipeline.tracking.card import Exported, card, exported
from tests.picking.test_verdict import picked


def said(state: SweepState, data: str = "digits", **more: Any) -> str:
    facts = {"name": data, "kind": "image", "fingerprint": "ab12", **more}
    state.prepared = Prepared(n=1, time=0.0, data=facts, floor={"fid": 11.0}, floor_spread={})
    found = verdict(state)
    run = next(run for run in state.trials[found.best.trial].confirmations.values() if run.healthy)
    chosen = Exported(run, 100, Path("checkpoints/images-1.pt"))
    return card(found, state, chosen, "mine", "models:/mine@champion")


def test_a_seed_that_failed_is_named_with_why() -> None:
    state = picked("fid", [(20.0, [None, 24.0, None]), (15.0, [20.0, None, 21.0])])
    state.trials[1].confirmations[101].evidence = {
        "signal": "diversity_ratio",
        "comparison": "<",
        "threshold": 0.3,
        "values": [{"images": 4000, "value": 0.1}],
    }
    text = said(state)
    assert "seed 101 did not stay healthy: collapsed: diversity_ratio < 0.3: 0.1 at 4,000 images" in text
    assert "share of healthy seeds 67%, 95% interval" in text
    assert "real data against real data: 11" in text
    assert "fid 20.5" in text


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ("digits", ["CC BY 4.0", "scikit-learn"]),
        ("fashion_mnist", ["licence: MIT"]),
        ("mnist", ["licence: its authors name none"]),
        ("ring8", ["licence: none is needed"]),
        ("imagefolder:/home/somebody/photos", ["imagefolder:photos; fingerprint ab12", "yours to say"]),
        ("/home/somebody/mine.py:make", ["mine.py:make; fingerprint ab12", "yours to say"]),
    ],
)
def test_data_come_with_their_licence_and_without_their_folder(data: str, parts: list[str]) -> None:
    text = said(picked("fid", [(20.0, [24.0, 26.0, 25.0])]), data)
    assert all(part in text for part in parts), text
    assert "somebody" not in text


def test_the_card_says_what_was_read() -> None:
    state = picked("fid", [(20.0, [24.0, 26.0, 25.0])])
    read = "photos: 120 of 400 files, grey, 16 x 16; classes cat 60, dog 60; left out: 280 .heic"
    notes = ["2 files turned upright as EXIF says"]
    text = said(state, "imagefolder:/home/somebody/photos", read=read, notes=notes, class_names=["cat", "dog"])
    for line in (f"- data: {read}", f"- note: {notes[0]}", "- names of the classes, by number: cat, dog"):
        assert f"\n{line}\n" in text


def test_the_seed_in_the_middle_is_the_one_that_is_exported(tmp_path: Path) -> None:
    state = picked("fid", [(20.0, [24.0, 21.0, None, 29.0, 23.0])])
    assert exported(verdict(state), state, tmp_path) is None  # no checkpoint is in the record
    for run in state.confirmations:
        run.measurements = [replace(each, checkpoint=f"checkpoints/{run.seed}.pt") for each in run.measurements]
    chosen = exported(verdict(state), state, tmp_path)
    assert chosen is not None
    assert chosen.run.test_tail("fid") == 23.0
    seed = chosen.run.seed
    assert chosen.checkpoint == tmp_path / "trials" / "0" / f"seed-{seed}" / "checkpoints" / f"{seed}.pt"

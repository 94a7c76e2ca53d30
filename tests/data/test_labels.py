"""Labels as people have them become classes from 0 up, under the names that they had."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.data.labels import numbered
from pipeline.data.said import Read, classes_line
from pipeline.errors import InputError
from tests.data.test_function import load_from

AT = np.arange(60)


@pytest.mark.parametrize(
    ("given", "labels", "names", "note"),
    [
        (AT % 3 + 2019, AT % 3, ("2019", "2020", "2021"), "2019, 2020, 2021 became the classes 0 to 2"),
        (np.array(["cat", "dog"] * 30), AT % 2, ("cat", "dog"), "labels are text: cat, dog became the classes 0 to 1"),
        (["b", "a"] * 30, (AT + 1) % 2, ("a", "b"), "text: a, b"),
        (np.array(["10", "2"] * 30), (AT + 1) % 2, ("2", "10"), "text: 2, 10"),
        (np.array([b"cat", b"dog"] * 30), AT % 2, ("cat", "dog"), "text"),
        (np.array(["cat", "dog"] * 30, dtype=object), AT % 2, ("cat", "dog"), "text"),
        (AT % 2 * 2 - 1, AT % 2, ("-1", "1"), "-1, 1 became"),
        (np.array([2**63 + 7, 5] * 30, dtype=np.uint64), (AT + 1) % 2, ("5", str(2**63 + 7)), "became"),
        (AT % 2 == 0, (AT + 1) % 2, ("False", "True"), "true or false: False, True became"),
        (np.eye(4)[AT % 4], AT % 4, (), "one-hot, of 4 classes"),
        (torch.eye(4, dtype=torch.bool)[AT % 4], AT % 4, (), "one-hot, of 4 classes"),
        (torch.from_numpy(AT % 3).float()[:, None], AT % 3, (), None),
        (torch.from_numpy(AT % 3).to(torch.uint8), AT % 3, (), None),
        ((AT % 3).astype(float).tolist(), AT % 3, (), None),
        (AT * 7, AT, tuple(str(7 * at) for at in AT), "60 classes of 60 samples: are they ids or measurements?"),
        (np.zeros(60, int), AT * 0, (), None),
    ],
)
def test_labels_become_classes(given: Any, labels: Any, names: tuple[str, ...], note: str | None) -> None:
    found = numbered("mine.py:make", given, 60)
    assert found.labels.dtype == torch.int64
    assert found.labels.tolist() == labels.tolist()
    assert found.names == names
    assert (note is None and found.notes == ()) or note in " ".join(found.notes)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (AT % 4 / 4, r"found labels that are no whole numbers \(0.25, 0.5, 0.75\); valid: a class"),
        (np.where(AT == 7, np.nan, 1.0), r"found labels that are not finite \(1 of them\)"),
        (torch.full((60,), float("inf")), r"found labels that are not finite \(60 of them\)"),
        (np.full((60, 4), 0.25), r"found labels of shape \(60, 4\) for 60 samples"),
        (np.ones((60, 2), int), r"found labels of shape \(60, 2\) for 60 samples"),
        (AT[:59], r"found labels of shape \(59,\) for 60 samples"),
        (5, r"found labels of shape \(\) for 60 samples"),
        ([*range(59), None], r"found labels of None, int; valid"),
        (["cat", ""] * 30, r"found 30 empty labels"),
        (np.array(["2020-01-01"] * 60, dtype="datetime64[D]"), r"found labels of datetime64\[D\]"),
        ([[1], [1, 2]] * 30, r"found labels in a list of unequal parts"),
        (AT * 1j, r"found labels of complex128"),
        ({"a": 1}, r"found labels of dict"),
    ],
)
def test_what_is_no_class_is_one_line(given: Any, line: str) -> None:
    with pytest.raises(InputError, match=line) as raised:
        numbered("mine.py:make", given, 60)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("mine.py:make: ")


def test_the_names_come_with_the_data(tmp_path: Path) -> None:
    data = load_from(
        tmp_path,
        "def make(resolution): return torch.zeros(300, 2) + torch.arange(300.0)[:, None], ['cat', 'dog', 'emu'] * 100",
    )
    assert (data.classes, data.class_names) == (3, ("cat", "dog", "emu"))
    assert data.read == "mine.py:make: 300 points, 2 values each; classes cat 100, dog 100, emu 100"
    assert data.notes[0] == "mine.py:make: its labels are text: cat, dog, emu became the classes 0 to 2"
    assert data.train_labels is not None
    assert data.centre is not None
    assert data.scale is not None
    own = (data.train[:, 0].double() * data.scale[0] + data.centre[0]).round().long()
    assert torch.equal(data.train_labels, own % 3)


@pytest.mark.parametrize(
    ("made", "note"),
    [
        ("torch.rand(200, 1, 8, 8)", r"float images are in [0, 1], and -1 is black"),
        ("torch.rand(200, 3, 8, 8).double()", r"float images are in [0, 1]"),
        ("(torch.rand(200, 1, 8, 8) > 0.5).float()", r"float images are in [0, 1]"),
        ("(torch.rand(200, 1, 8, 8) > 0.5).to(torch.uint8)", "uint8 images have no value above 1"),
        ("torch.rand(200, 1, 8, 8) * 2 - 1", None),
        ("torch.rand(200, 2)", None),
        ("torch.randint(0, 256, (200, 1, 8, 8), dtype=torch.uint8)", None),
    ],
)
def test_images_whose_white_is_1_get_a_note(made: str, note: str | None, tmp_path: Path) -> None:
    notes = load_from(tmp_path, f"def make(resolution): return {made}").notes
    found = [line for line in notes if "images" in line]
    assert (not found) if note is None else (len(found) == 1 and note in found[0] and "mine.py:make" in found[0])


def test_of_many_classes_the_first_are_named() -> None:
    assert classes_line([5] * 11 + [7]) == (
        "12 classes of 5 to 7: 0 5, 1 5, 2 5, 3 5, 4 5, 5 5, 6 5, 7 5, 8 5, 9 5, ..."
    )
    read = Read("imagefolder:/somewhere/photos", 400, (3, 16, 16), (60, 60), ("cat", "dog"), origin="24 x 24")
    assert read.line() == "photos: 400 images, colour, 16 x 16 from 24 x 24; classes cat 60, dog 60"

"""The presets are found where the package runs from."""

import pytest

from pipeline import presets
from pipeline.errors import InputError


def test_every_name_is_a_file_of_search_spaces() -> None:
    found = {presets.path(name) for name in presets.names()}
    assert found == set(presets.folder().glob("*.yaml"))
    assert presets.folder().name == "search_spaces"
    assert presets.folder().is_dir()


@pytest.mark.parametrize("name", ["digitz", "../digits", ""])
def test_a_preset_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="there is no preset"):
        presets.path(name)

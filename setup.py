"""What pyproject.toml cannot say: the presets of search_spaces/ travel inside the package `pipeline`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["pipeline", "pipeline.*"]), "pipeline.search_spaces"],
    package_dir={"pipeline.search_spaces": "search_spaces"},
    package_data={"pipeline.search_spaces": ["*.yaml"], "pipeline": ["py.typed"]},
)

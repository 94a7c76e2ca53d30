"""What pyproject.toml cannot say: the presets of search_spaces/ travel inside the package `pipeline`, and the command's
entry is installed under a name of its own."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["pipeline", "pipeline.*"]), "pipeline.search_spaces", "gansweep"],
    package_dir={"pipeline.search_spaces": "search_spaces", "gansweep": "pipeline/launcher"},
    package_data={
        "pipeline.search_spaces": ["*.yaml"],
        "pipeline": ["py.typed"],
        **{f"pipeline.report.{room}": ["*.html", "*.css", "*.js"] for room in ("page", "judge")},
    },
)

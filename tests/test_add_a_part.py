"""A part that is added is one file and one row: made up here, in a copy of the package, and then used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
# By part: the file that is added, its text, the table's file, and the row that is put at the table's end.
PARTS: dict[str, tuple[str, str, str, str, str]] = {
    "objective": (
        "pipeline/games/cubic.py",
        "from pipeline.games.objectives import Objective\n"
        "CUBIC = Objective(lambda real, fake: (real - 1).abs() ** 3 + fake.abs() ** 3, "
        "lambda real, fake: (fake - 1).abs() ** 3)\n",
        "pipeline/schema/game.py",
        "OBJECTIVES: dict[str, ObjectiveRow] = {",
        '    "cubic": ObjectiveRow("pipeline.games.cubic:CUBIC"),',
    ),
    "network": (
        "pipeline/games/networks/flat.py",
        "import math\nfrom torch import nn\n"
        "class Generator(nn.Module):\n"
        "    def __init__(self, spec, latent_size, classes, shape, bounded):\n"
        "        super().__init__()\n"
        "        self.shape, self.layer = shape, nn.Linear(latent_size + classes, math.prod(shape))\n"
        "    def forward(self, inputs):\n"
        "        return self.layer(inputs).tanh().view(-1, *self.shape)\n"
        "class Discriminator(nn.Module):\n"
        "    def __init__(self, spec, shape, kind, classes):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(math.prod(shape), 1)\n"
        "    def forward(self, x, condition=None, randomness=None):\n"
        "        return self.layer(x.flatten(1)).squeeze(1)\n",
        "pipeline/schema/networks.py",
        "FAMILIES: dict[str, Family] = {",
        '    "flat": Family(MlpSpec, MlpDiscriminatorSpec, "pipeline.games.networks.flat", pixels=False, half=False),',
    ),
    "metric": (
        "pipeline/metrics/brightness.py",
        "def brightness(seen): return float((seen.samples.mean() - seen.real.mean()).abs())\n",
        "pipeline/schema/metrics.py",
        "METRICS: dict[str, Metric] = {",
        '    "brightness": Metric("image", minimise=True, made="pipeline.metrics.brightness:brightness"),',
    ),
    "kind": (
        "pipeline/data/kinds/series.py",
        "from pipeline.metrics.of_points import PointMeasure\n"
        'MEASURE, EVALUATED, RETURNED = "pipeline.data.kinds.series:Measure", 100, "series (N, channels, time) float"\n'
        "class Measure(PointMeasure):\n"
        '    name = "series"\n'
        "    def features(self, samples): return samples.cpu().flatten(1)\n"
        "    extracts = True\n"
        "def takes(samples): return samples.dim() == 3 and samples.is_floating_point()\n"
        "def kept(samples): return samples.float()\n"
        "def notes(samples): return ()\n"
        "def pictured(samples): return samples.flatten(1)\n"
        "def laid_out(samples, memory_format): return samples\n"
        "def resized(samples, resolution): return samples\n",
        "pipeline/schema/kinds.py",
        "    for each in (",
        '        Kind("series", 2, "sliced_wasserstein", False, False, False, "series", "pipeline.data.kinds.series"),',
    ),
    "term": (
        "pipeline/games/centred.py",
        "from pipeline.games.regularisers import Regulariser\n"
        "CENTRED = Regulariser(lambda seen, spec: seen.scalars['weight'] * seen.real_scores.square())\n",
        "pipeline/schema/parts.py",
        "    own: dict[str, OwnTermSpec] = {}",
        '    centred: ModeSeekingSpec | None = term("pipeline.games.centred:CENTRED")',
    ),
    "data": (
        "pipeline/data/stripes.py",
        "import torch\n"
        "from pipeline.data.sources import Source\n"
        "def stripes(spec, root, cache):\n"
        "    return Source((torch.arange(64) % 8 * 30).to(torch.uint8).view(1, 1, 8, 8).repeat(500, 1, 1, 1)\n"
        "        + torch.arange(500).view(-1, 1, 1, 1).remainder(40).to(torch.uint8))\n",
        "pipeline/schema/datasets.py",
        "KNOWN: dict[str, Known] = {",
        '    "stripes": Known("image", "pipeline.data.stripes:stripes", 8, 1),',
    ),
    "features": (
        "pipeline/metrics/edges.py",
        "import torch\n"
        "from torch import nn\n"
        "from pipeline.metrics.extractor import Extractor\n"
        "def opened(data, cache, device):\n"
        "    return Extractor('edges8-01234567', Edges().to(device), {})\n"
        "class Edges(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.weight = nn.Parameter(torch.ones(1), requires_grad=False)\n"
        "    def forward(self, images): return self.weight * images.diff(dim=3).abs().mean((1, 3))\n",
        "pipeline/schema/features.py",
        "FEATURES: dict[str, Features] = {",
        '    "edges": Features("pipeline.metrics.edges:opened", "how much neighbours differ, by row"),',
    ),
    "game": (
        "pipeline/games/mirror.py",
        "from pipeline.games.adversarial import AdversarialGame\n"
        "class Mirror(AdversarialGame):\n"
        "    def sample(self, generator, inputs, draw): return -self.generate(generator, inputs, draw)\n",
        "pipeline/schema/game.py",
        "GAMES: dict[str, str] = {  # where each is made",
        '    "mirror": "pipeline.games.mirror:Mirror",',
    ),
}
USED = """
import json, sys, torch
from pathlib import Path
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.training.loop import Task, training
from pipeline.training.store import Store
assert Path(sys.modules["pipeline"].__file__).is_relative_to(sys.argv[1])
TREE = {"data": {"name": "digits"}, "budget": {"images": 64}, "evaluation": {"every": 64, "samples": 100},
        "generator": {"network": "mlp"}, "discriminator": {"network": "mlp"}, "batch_size": 32, "latent": {"size": 4}}
USED = {
    "objective": {"game": {"objective": "cubic"}},
    "network": {"generator": {"network": "flat"}, "discriminator": {"network": "flat"}},
    "metric": {},
    "kind": {"data": {"name": f"{sys.argv[1]}/waves.py:waves"}},
    "game": {"game": {"name": "mirror"}},
    "features": {"evaluation": {"every": 64, "samples": 100, "features": "edges"}},
    "term": {"regularisers": {"centred": {"weight": 2.0}}},
    "data": {"data": {"name": "stripes"}},
}
found = {}
for part, changes in USED.items():
    spec = resolve(TrialSpec.model_validate(TREE | changes), cuda=False)
    data = Evaluator.open(spec.data, Asked.of(spec.evaluation), Path(sys.argv[1]) / "cache", None, "cpu")
    objective = "sliced_wasserstein" if part == "kind" else "fid"
    (last,) = training(Task(spec, 1, objective), data, Store(Path(sys.argv[1]) / part))
    found[part] = {"metrics": last.metrics, "signals": last.signals, "kind": data.dataset.kind, "data": spec.data.name}
    found[part] |= {"features": last.features}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each part came to in a training."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "search_spaces", root / "search_spaces")
    for file, text, table, begins, row in PARTS.values():
        (root / file).write_text(text)
        before = (root / table).read_text()
        assert before.count(f"\n{begins}") == 1
        opened, _, rest = before.partition(f"\n{begins}")
        # a table of one line, or of a row a line
        parted = f"\n{begins}\n{row}\n{rest.lstrip(chr(10))}"
        (root / table).write_text(opened + parted)
    (root / "waves.py").write_text("import torch\ndef waves(resolution): return torch.randn(600, 2, 8)\n")
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", USED, str(root)], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_one_file_and_one_row(used: dict[str, Any], part: str) -> None:
    found = used[part]
    assert found["metrics"]
    assert ("brightness" in found["metrics"]) == (part != "kind")
    assert ("loss_d.centred" in found["signals"]) == (part == "term")
    assert (found["data"] == "stripes") == (part == "data")
    assert (found["features"] == "edges8-01234567") == (part == "features")
    assert found["kind"] == ("series" if part == "kind" else "image")

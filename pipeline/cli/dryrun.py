"""What a sweep would do and cost, without starting it."""

from __future__ import annotations

import json
import sys
from typing import Any

from pipeline.data.said import what_was_read
from pipeline.errors import within
from pipeline.record.trials import params
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec, resolve
from pipeline.space import yaml
from pipeline.space.check import to_build

SAMPLED = 3


def dry_run(sweep: Any, as_json: bool) -> None:
    """Prints the resolved sweep, what is searched with its ranges, three sampled specs, and the cost by a probe."""
    file, search = sweep.file, sweep.file.sweep.search
    searched = [
        {"parameter": p.name, "range": p.distribution.describe(), "only_under": p.name.rpartition("[")[0] or None}
        for p in file.space.parameters()
    ]
    points = _sampled(sweep)
    trials = sweep.launch.trials or search.trials
    document = {
        "sweep": file.tree,
        "searched": searched,
        "sampled": [{"params": params(point), "spec": spec.model_dump(mode="json")} for point, spec in points],
    }
    if as_json:
        measured = _measured(sweep, points[0][1])
        print(
            json.dumps(
                document
                | {
                    "data": measured["data"],
                    "features": measured["features"],
                    "cost": _cost(sweep, trials, points[0][1], measured),
                }
            )
        )
        return
    out = sys.stdout
    print(f"# {sweep.name}, as resolved\n{yaml.dump(file.tree)}", file=out)
    print("# searched", file=out)
    width = max((len(p["parameter"]) for p in searched), default=0)
    for each in searched:
        print(f"  {each['parameter']:<{width}}  {each['range']}", file=out)
    for number, (_, spec) in enumerate(points, 1):
        text = yaml.dump(spec.model_dump(mode="json", exclude_none=True))
        print(f"\n# sample {number} of {SAMPLED}\n{text}", file=out, end="")
    out.flush()  # the probe takes its time, and may find that the data is not there
    measured = _measured(sweep, points[0][1])
    print("\n# read", *what_was_read(measured["data"]), f"features: {measured['features']}", sep="\n  ", file=out)
    print("\n# cost", file=out)
    for key, value in _cost(sweep, trials, points[0][1], measured).items():
        print(f"  {key}: {value}", file=out)
    print("\nnothing was started", file=out)


def _sampled(sweep: Any) -> list[tuple[dict[str, Any], TrialSpec]]:
    """The first trials that the sweep would propose."""
    from pipeline.search.sampler import Sampler

    file, cuda = sweep.file, sweep.launch.gpus_per_trial > 0
    sampler = Sampler.of(file)
    fixed = [file.space.fixed(sampler.ask(number)[0]) for number in range(SAMPLED)]
    return [(point, resolve(parse(TrialSpec, tree, file.source), cuda)) for point, tree in fixed]


def _measured(sweep: Any, spec: TrialSpec) -> dict[str, Any]:
    """The probe trains the first sample for a moment, in a process of its own as a worker is."""
    from pipeline.conformance.probe import probe

    to_check = to_build(sweep.file.space)
    with within(sweep.file.source):
        return probe(spec, sweep.file.sweep.objective, sweep.cache, sweep.launch.data_root, to_check)


def _cost(sweep: Any, trials: int, spec: TrialSpec, measured: dict[str, Any]) -> dict[str, str]:
    """No run stopped early; measured: what the probe says."""
    import psutil

    from pipeline.drivers.share import Share
    from pipeline.report.numbers import clock
    from pipeline.report.spending import too_much_evaluation

    search, launch = sweep.file.sweep.search, sweep.launch
    promoted = int(trials * search.promote.top) * max(0, search.promote.seeds - search.seeds) if search.promote else 0
    runs = trials * search.seeds + promoted
    images = runs * spec.budget.images
    share = Share(launch.cpus_per_trial, launch.gpus_per_trial, launch.memory_per_trial)
    here = {"CPU": measured["cpus"], "GPU": measured["gpus"], "memory": psutil.virtual_memory().available}
    fit = max(1, share.fit(here))
    at_once = launch.concurrency or search.concurrency or fit
    evaluations = -(-spec.budget.images // spec.evaluation.every)
    a_run = spec.budget.images / measured["images_per_second"] + evaluations * measured["evaluation_seconds"]
    seconds = a_run * ((runs - promoted) / at_once + promoted)  # the leader's further seeds come last
    asked, of_training = spec.evaluation, spec.evaluation.every / measured["images_per_second"]
    too_much = too_much_evaluation(measured["evaluation_seconds"], of_training, asked.every, asked.share)
    kept = 3 * at_once + 3 * runs  # checkpoints: the last two and the best of each run
    by = "by a probe of the first sample on one thread"
    if measured["device"] != spec.device:
        by += ", without the GPU that a trial asks for: here is none"
    return {
        "trials": f"{trials}, {at_once} at a time" + (f", {runs} runs with their seeds" if runs > trials else ""),
        "images": f"at most {images:,} ({spec.budget.images:,} a run)",
        "time": f"about {clock(seconds)} if no run is stopped early ({measured['images_per_second']:.0f} images/s and "
        f"{measured['evaluation_seconds']:.2f} s an evaluation, {by})",
        **({"evaluation": too_much} if too_much else {}),
        "disk": f"about {kept * measured['checkpoint_bytes'] / 2**20:.0f} MiB of checkpoints at most",
    }

"""Every value that a space can give is put into a TrialSpec when the space is loaded, not when a trial meets it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import InputError, one_of, show
from pipeline.plugin import is_own
from pipeline.schema.base import fingerprint, flatten, parse, scalar_keys
from pipeline.schema.datasets import lookup
from pipeline.schema.features import chosen
from pipeline.schema.game import PIXELS, AdversarialSpec
from pipeline.schema.parts import AugmentationSpec, RegularisersSpec
from pipeline.schema.trial import TrialSpec
from pipeline.space.distributions import KINDS, Choice, Distribution, Range
from pipeline.space.tree import Parameter, Space

SLOW = 5  # budgets that ADA may take to its full probability before a user is told
WHOLE = 4  # of a range of integers so many are tried from its low end on
OPTIONAL = {*RegularisersSpec.model_fields, *AugmentationSpec.model_fields}
NOT_SEARCHED = ("data", "budget", "evaluation", "device", "precision", "memory_format")


def check(space: Space) -> tuple[str, ...]:
    """What a user should be told of the space; InputError where some value of it cannot be in a TrialSpec."""
    parameters = space.parameters()
    for parameter in parameters:
        section = parameter.key.split(".")[0]
        if section in NOT_SEARCHED:
            raise InputError(
                f"{space.source}: {parameter.key}: found a distribution; valid: one value, "
                f"trials that differ in {section} cannot be compared"
            )
        if parameter.key in ("init_from.path", "init_from.hash"):
            raise InputError(
                f"{space.source}: {parameter.key}: found a distribution; valid: one value, or a choice of init_from "
                "whose options have a path each"
            )
    _misspelt(space.tree, "", space.source)
    nulls = [
        f"{space.source}: {key}: found null, the same as if it were not there; {{}} would be it with its own values"
        for key in _nulls(space.tree)
    ]
    return (*nulls, *_warnings(tried(space), space.source))


def check_data(space: Space, kind: str, resolution: int | None, classes: int) -> None:
    """InputError where the data, now that it is open, is not what some point of the space needs: a folder without
    labels under a condition, points of a user's own function for a network of images."""
    for spec in tried(space):
        try:
            spec.check_data(kind, resolution, classes > 1)
        except ValueError as error:
            raise InputError(f"{space.source}: {error}") from None


def to_build(space: Space) -> list[TrialSpec]:
    """Of what tried() tries one parameter at a time, one of each structure that only building it can tell to be right:
    each takes a moment to build, and pairs would be many."""
    scalars = scalar_keys(TrialSpec)
    structures: dict[str, TrialSpec] = {}
    for spec in tried(space, pairs=False):
        if untold(spec):
            tree = flatten(spec.model_dump(mode="json", exclude={"optimiser", "ema"}))
            structure = {key: value for key, value in tree.items() if key not in scalars}
            structures.setdefault(fingerprint(structure), spec)
    return list(structures.values())


def untold(spec: TrialSpec) -> bool:
    """Whether the spec alone cannot tell if it can be built: a part is the user's own, or networks start from a
    checkpoint."""
    return spec.init_from is not None or ".py:" in spec.model_dump_json(exclude={"data"})


def tried(space: Space, pairs: bool = True) -> list[TrialSpec]:
    """Each end of a range (of integers the lowest few too) and each option, and (pairs) each two of different
    parameters together, with the others at their first option or low end. Raises InputError for one that cannot be."""
    parameters = space.parameters()
    specs = [_try(space, parameters, {})]
    ends = [
        (parameter, {**dict(parameter.branch), parameter.name: value})
        for parameter in parameters
        for value in _looked_at(parameter.distribution)
    ]
    specs += [_try(space, [parameter], forced) for parameter, forced in ends]
    for (one, forced), (other, also) in itertools.combinations(ends if pairs else [], 2):
        if one is not other and all(also.get(name, value) == value for name, value in forced.items()):
            specs.append(_try(space, [one, other], forced | also))
    return specs


def _looked_at(distribution: Distribution) -> tuple[Any, ...]:
    """A range's ends; of integers the lowest few too: odd ones, and ones that divide nothing, are among them."""
    if isinstance(distribution, Range) and distribution.whole and distribution.high > distribution.low + 1:
        low, high = distribution.ends
        return (*range(low, min(low + WHOLE, high)), high)
    return distribution.ends


def _warnings(specs: Sequence[TrialSpec], source: str) -> tuple[str, ...]:
    """What is known to go wrong, where some value of the space leads there."""
    lines = []
    for field, value in (("norm", "batch"), ("minibatch", "stddev"), ("minibatch", "discrimination")):
        coupled = [spec.regularisers for spec in specs if getattr(spec.discriminator, field) == value]
        penalties = sorted({name for terms in coupled for name in terms.gradient_penalties()})
        if penalties:
            lines.append(
                f"discriminator.{field}: {value} under a gradient penalty ({', '.join(penalties)}): the gradient is "
                "then of the batch's sum, not of each sample (layer, instance and spectral norm keep them apart)"
            )
    if any(spec.game.objective == "wasserstein" and not spec.bounded for spec in specs):
        lines.append(
            "game.objective: wasserstein without a bound on D's slope: its loss has no least value (Arjovsky et al. "
            "2017, sec. 3); a gradient penalty, weight_clipping or discriminator.norm spectral is one"
        )
    both = [spec.regularisers for spec in specs if spec.regularisers.r1 and spec.regularisers.r2]
    if any(max(part.interval for part in (terms.r1, terms.r2) if part) > 1 for terms in both):
        lines.append(
            "regularisers: r1 and r2 with an interval above 1: applied lazily the pair is known to fail outright "
            "(Huang et al. 2024, on stacked MNIST and 25 Gaussians); interval 1 is safe"
        )
    budget = specs[0].budget.images  # of all of them
    starts = [
        (spec.regularisers.lecam.start + 1) * spec.batch_size * spec.optimiser.discriminator_steps
        for spec in specs
        if spec.regularisers.lecam
    ]
    if starts and max(starts) >= budget:
        lines.append(
            f"regularisers.lecam.start: after up to {max(starts):,} images (start + 1 steps of the generator), and "
            f"budget.images is {budget:,}: such a run is one without LeCam"
        )
    adapting = [spec.augmentation.ada for spec in specs if spec.augmentation.ada]
    slow = [ada.images for ada in adapting if ada.probability is None]
    if slow and max(slow) > SLOW * budget:
        lines.append(
            f"augmentation.ada.images: up to {max(slow):,} for its probability to rise by 1, and budget.images is "
            f"{budget:,}: it comes to {budget / max(slow):.2g} at most"
        )
    known, content = lookup(specs[0].data.name), {getattr(spec.game, "content_in", PIXELS) for spec in specs}
    labelled = None if known is None else known.labelled
    compared = {chosen(specs[0].evaluation.features, each) for each in (True, False) if labelled in (each, None)}
    for name in sorted(content & compared):
        lines.append(
            f"game.content_in: {name}, in which fid is measured as well (evaluation.features): it then says how well "
            "the content was learned, not how good images are"
        )
    unread = sorted({key for spec in specs if is_own(spec.game.name) for key in _of_the_adversarial_game(spec)})
    if unread:
        lines.append(f"{', '.join(unread)}: with a game of your own it does what that game makes of it, else nothing")
    return tuple(f"{source}: {line}" for line in lines)


def _of_the_adversarial_game(spec: TrialSpec) -> list[str]:
    """What is set that only a game acts on, not the training step."""
    keys = [f"regularisers.{name}" for name, part in spec.regularisers if part and name != "gradient_clipping"]
    keys += [f"augmentation.{name}" for name, part in spec.augmentation if part]
    usual = AdversarialSpec()
    changed = [name for name, value in spec.game if name not in ("name", "options") and value != getattr(usual, name)]
    return keys + [f"game.{name}" for name in changed]


def _try(space: Space, suspects: Sequence[Parameter], forced: Mapping[str, Any]) -> TrialSpec:
    """Puts the point with `forced` into a TrialSpec; an error says which of `suspects` it came with."""
    point, tree = space.realise(lambda p: forced.get(p.name, p.distribution.ends[0]))
    try:
        return parse(TrialSpec, tree, space.source)
    except InputError as error:
        line = str(error)
        for suspect in suspects:
            if line.startswith(f"{space.source}: {suspect.key}: ") and not isinstance(suspect.distribution, Choice):
                raise InputError(f"{line} (searched: {suspect.distribution.describe()})") from None
            if suspect.name in forced and not line.startswith(f"{space.source}: {suspect.key}: "):
                raise InputError(f"{line} (with {suspect.key}: {show(point[suspect.name])})") from None
        raise


def _nulls(tree: Any, prefix: str = "", within: bool = False) -> list[str]:
    """The regularisers and augmentations that are given without a value, as `r1:` is in a YAML."""
    if not isinstance(tree, Mapping):
        return []
    keys = [f"{prefix}{key}" for key, value in tree.items() if within and value is None and key in OPTIONAL]
    for key, value in tree.items():
        keys += _nulls(value, f"{prefix}{key}.", within or key in ("regularisers", "augmentation"))
    return keys


def _misspelt(tree: Mapping[str, Any], prefix: str, source: str) -> None:
    """A mapping that was meant as a distribution: a list of values under a name that is nearly one, or beside
    other keys."""
    for key, value in tree.items():
        if not isinstance(value, Mapping):
            continue
        for name, body in value.items():
            if isinstance(body, list) and len(value) == 1 and name not in KINDS:
                raise InputError(f'{source}: {prefix}{key}: found "{name}: {show(body)}", {one_of(name, KINDS)}')
            if isinstance(body, list) and len(value) > 1 and name in KINDS:
                raise InputError(f"{source}: {prefix}{key}: found {show(value)}; valid: {name} alone")
        _misspelt(value, f"{prefix}{key}.", source)

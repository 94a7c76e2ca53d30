"""SweepSpec: what a sweep is besides the space it searches: what is compared, how, and for how long."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipeline.errors import one_of
from pipeline.schema.base import Strict
from pipeline.schema.health import RuleSpec


class PromoteSpec(Strict):
    """A trial that comes to the best `top` (a share) of those that ended is run on `seeds` in all, so that it is
    not its luck that the sampler learns from."""

    seeds: int = Field(2, ge=2)
    top: float = Field(0.05, gt=0, lt=1)


class PriorSpec(Strict):
    """Proposals around the known_good points, and around the best that were found, beside the sampler's own. width: how
    far from a point, as a standard deviation in shares of a parameter's range, and how likely another option is;
    weight: the share of the proposals that the points get as long as nothing is known, which what they come to
    changes; of the rest, earlier sweeps that are learned from get two fifths, of other data alone a tenth."""

    width: float = Field(0.25, gt=0, le=1)
    weight: float = Field(0.1, gt=0, lt=1)


class LearnedSpec(Strict):
    """What an earlier sweep came to, in the parameters of this space, as far as they meet: its best configurations, the
    best first, the others that stayed healthy, and those that did not. Names are parameters' full names. same: it is of
    the same data and by the same objective, as an older record takes for granted."""

    sweep: str
    best: tuple[dict[str, Any], ...] = Field(min_length=1, strict=False)
    healthy: tuple[dict[str, Any], ...] = Field((), strict=False)
    failed: tuple[dict[str, Any], ...] = Field((), strict=False)
    same: bool = True


class SearchSpec(Strict):
    """How the space is searched. concurrency None: as many runs as there are CPUs or GPU shares;
    max_time: seconds; startup: trials drawn at random before the model is used (None: 16 with experience, 8 without);
    seeds: runs of each trial, which is scored by their median, one that did not stay healthy counting as worse than
    any. promote: by default one seed more for the best of 20, 2 of 40, so that what a search ends with is not one
    seed's luck; not with `sampler: random`, several objectives, or several seeds a trial. audit: the share of the runs
    that rules or rungs would stop which go on all the same: the end of the sweep then says how many stops were wrong.
    prior: where the space has known_good points; null: the sampler alone, as with `sampler: random`. experience: the
    draws before the model is used have rates with which GANs train, within the ranges; not with `sampler: random`.
    learn_from: earlier sweeps of this home by their names, or `home` for all that fit; this one's record has what they
    came to."""

    sampler: Literal["tpe", "random", "gp", "cmaes", "auto"] = "tpe"
    trials: int = Field(20, ge=1)
    concurrency: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, lt=2**31)
    startup: int | None = Field(None, ge=0)
    max_time: float | None = Field(None, gt=0)
    seeds: int = Field(1, ge=1)
    promote: PromoteSpec | None = PromoteSpec()
    audit: float = Field(0.0, ge=0, le=1)
    prior: PriorSpec | None = PriorSpec()
    experience: bool = True
    learn_from: Literal["home"] | Annotated[tuple[str, ...], Field(strict=False)] = ()

    @model_validator(mode="before")
    @classmethod
    def _without(cls, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        plain = {"prior": None, "experience": False, "promote": None} if tree.get("sampler") == "random" else {}
        several = {"promote": None} if tree.get("seeds", 1) != 1 else {}  # each trial has further seeds already
        return plain | several | tree

    @model_validator(mode="after")
    def _promotion_adds(self) -> SearchSpec:
        if self.promote and self.promote.seeds <= self.seeds:
            raise ValueError(
                f"promote.seeds: found {self.promote.seeds} with seeds {self.seeds}; valid: more than every trial has"
            )
        return self


class RungsSpec(Strict):
    """Asynchronous successive halving (Li et al. 2020) on the tail: at `first` images (None: the third
    evaluation), and at `reduction` times as many, and so on, the best 1 in `reduction` goes on, with those that are not
    worse by more than so many standard `errors` of the metric."""

    enabled: bool = True
    first: int | None = Field(None, gt=0)
    reduction: float = Field(3.0, gt=1)
    errors: float = Field(2.0, ge=0)


class ObjectiveSpec(Strict):
    """One of several objectives: a metric's tail, or (reach) the images until it first was at this value or better;
    one that it did not come to counts as twice the budget. In a YAML "fid", or {images_to_reach: {metric: fid,
    value: 50}}."""

    metric: str
    reach: float | None = None

    @property
    def name(self) -> str:
        return self.metric if self.reach is None else f"images_to_reach_{self.metric}_{self.reach:g}"


def _objective_tree(item: Any) -> Any:
    if isinstance(item, str):
        return {"metric": item}
    if isinstance(item, dict) and list(item) == ["images_to_reach"]:
        inner = item["images_to_reach"]
        if not isinstance(inner, dict) or set(inner) != {"metric", "value"}:
            raise ValueError("objective.images_to_reach: valid: {metric: fid, value: 50}")
        return {"metric": inner["metric"], "reach": inner["value"]}
    if isinstance(item, dict) and "metric" in item:
        return item
    raise ValueError(f"objective: found {item!r}; valid: a metric, or images_to_reach: {{metric: fid, value: 50}}")


class SweepSpec(Strict):
    """The sweep-level part of a YAML file. objective: a metric of schema/metrics.py or of evaluation.metrics;
    load() sees to it. `health` maps a rule's name to a rule, defaults merged in."""

    objective: str
    objectives: tuple[ObjectiveSpec, ...] = Field((), strict=False)  # several: the first one is `objective` too
    search: SearchSpec = SearchSpec()
    rungs: RungsSpec = RungsSpec()
    health: dict[str, RuleSpec] = {}

    @model_validator(mode="before")
    @classmethod
    def _several_objectives(cls, tree: Any) -> Any:
        """`objective: [fid, ...]`: a front in place of a best, so nothing is compared at rungs."""
        if not isinstance(tree, dict) or not isinstance(tree.get("objective"), list):
            return tree
        objectives = [_objective_tree(item) for item in tree["objective"]]
        if len(objectives) < 2 or objectives[0].get("reach") is not None:
            raise ValueError(f"objective: found {tree['objective']}; valid: one metric, or a list that begins with one")
        search = tree.get("search", {})  # a front has no leader
        search = {"promote": None, **search} if isinstance(search, dict) else search
        without = {"rungs": {"enabled": False}, **tree, "search": search}
        return {**without, "objective": objectives[0]["metric"], "objectives": objectives}

    @model_validator(mode="after")
    def _no_rungs_for_several(self) -> SweepSpec:
        names = [each.name for each in self.objectives]
        if len(set(names)) < len(names):
            raise ValueError(f"objective: found {', '.join(names)}; valid: each once")
        if self.objectives and self.rungs.enabled:
            raise ValueError("rungs: found with several objectives, which cannot be compared at one; valid: none")
        if self.objectives and self.search.sampler in ("gp", "cmaes"):
            raise ValueError(
                f"search.sampler: found {self.search.sampler} with several objectives; valid: tpe, random, auto"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _health_defaults(cls, tree: Any) -> Any:
        from pipeline.schema.health import DEFAULT_RULES

        if not isinstance(tree, dict) or not isinstance(tree.get("health", {}), dict):
            return tree
        rules: dict[str, Any] = {name: dict(rule) for name, rule in DEFAULT_RULES.items()}
        for name, rule in tree.get("health", {}).items():
            if rule is None:
                if rules.pop(name, None) is None:
                    raise ValueError(f"health.{name}: there is no such rule to turn off, {one_of(name, rules)}")
            elif name in rules and isinstance(rule, dict):
                rules[name] = rules[name] | rule
            elif isinstance(rule, dict) and not {"reason", "signal", "comparison", "threshold"} <= rule.keys():
                raise ValueError(
                    f'health: unknown key "{name}", {one_of(name, rules)}; a rule of your own has '
                    "reason, signal, comparison and threshold"
                )
            else:
                rules[name] = rule
        return {**tree, "health": rules}

"""A study's trials as Optuna's samplers read them, handed over as they are: its own storage copies each of them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

NAME, STUDY = "sweep", 0


class History(BaseStorage):
    """One study: `trials`, which are read only, by number, and after them those that are asked for. For one ask."""

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        self._trials = list(trials)
        self._theirs = len(trials)
        self._directions: list[StudyDirection] = []
        self._attrs: dict[str, dict[str, Any]] = {"user": {}, "system": {}}

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        self._directions = list(directions)
        return STUDY

    def delete_study(self, study_id: int) -> None:
        self._trials.clear()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self._attrs["user"][key] = value

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._attrs["system"][key] = value

    def get_study_id_from_name(self, study_name: str) -> int:
        return STUDY

    def get_study_name_from_id(self, study_id: int) -> str:
        return NAME

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._attrs["user"]

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self._attrs["system"]

    def get_all_studies(self) -> list[FrozenStudy]:
        return [FrozenStudy(NAME, None, self._attrs["user"], self._attrs["system"], STUDY, directions=self._directions)]

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        number = len(self._trials)
        if template_trial is not None:
            raise NotImplementedError("a history is given its trials when it is made")
        self._trials.append(
            FrozenTrial(
                number=number,
                trial_id=number,
                state=TrialState.RUNNING,
                value=None,
                datetime_start=datetime.now(),
                datetime_complete=None,
                params={},
                distributions={},
                user_attrs={},
                system_attrs={},
                intermediate_values={},
            )
        )
        return number

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        trial = self._own(trial_id)
        trial.distributions = {**trial.distributions, param_name: distribution}
        trial.params = {**trial.params, param_name: distribution.to_external_repr(param_value_internal)}

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        raise NotImplementedError("nothing is told to a history")

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        raise NotImplementedError("nothing is told to a history")

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._own(trial_id).user_attrs[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._own(trial_id).system_attrs[key] = value

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._trials[trial_id]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        return [trial for trial in self._trials if states is None or trial.state in states]

    def _own(self, trial_id: int) -> FrozenTrial:
        """Raises ValueError for a trial that was handed over: what happened is not changed."""
        if trial_id < self._theirs:
            raise ValueError(f"trial {trial_id} is history")
        return self._trials[trial_id]

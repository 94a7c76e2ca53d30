"""What is exported is what the record says: read back by pandas, by Optuna and by its dashboard."""

import json
from pathlib import Path

import optuna
import pandas
import pytest
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from optuna_dashboard import wsgi

from pipeline.errors import InputError
from pipeline.report.export import STUDY, export
from tests.report.synthetic import Made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("home") / "made").searched()
    made.driver("finished")
    made.write()
    return made


@pytest.fixture(scope="module")
def exported(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    export(made.state(), folder)
    return folder


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_tables_say_what_the_record_says(made: Made, exported: Path, form: str) -> None:
    read = {"csv": pandas.read_csv, "parquet": pandas.read_parquet}[form]
    state = made.state()
    trials = read(exported / f"trials.{form}").set_index("trial")
    assert list(trials.index) == [trial.number for trial in state.ranking()]
    for trial in state.trials.values():
        row = trials.loc[trial.number]
        assert row["end_reason"] == trial.end_reason
        assert row["tail"] == pytest.approx(trial.tail("fid"))
        assert row["params.optimiser.lr_g"] == pytest.approx(trial.params["optimiser.lr_g"])
        if trial.params["regularisers"] != "r1":
            assert pandas.isna(row["params.regularisers.r1.weight"])
    measurements = read(exported / f"measurements.{form}")
    assert len(measurements) == sum(len(run.measurements) for run in state.runs)
    first = measurements[measurements.trial == 3].sort_values("images")
    assert list(first["metrics.fid"]) == pytest.approx(
        [value for _, value in state.trials[3].runs[first.seed.iloc[0]].values("fid")]
    )


def test_the_study_is_the_sweep_with_its_ends(made: Made, exported: Path) -> None:
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(exported / STUDY)))
    study = optuna.load_study(study_name="made", storage=storage)
    trials = made.state().trials
    assert len(study.trials) == len(trials)
    assert study.metric_names == ["fid"]
    states = {"completed": TrialState.COMPLETE, "rung": TrialState.PRUNED, "collapsed": TrialState.COMPLETE}
    healthy = [trial.tail("fid") for trial in trials.values() if trial.healthy]
    for frozen in study.trials:
        trial = trials[frozen.number]
        assert frozen.state == states[str(trial.end_reason)]
        assert frozen.params == trial.point
        assert frozen.user_attrs["end_reason"] == trial.end_reason
        if trial.end_reason == "collapsed":
            assert frozen.value is not None
            assert frozen.value > max(value for value in healthy if value is not None)
            assert frozen.user_attrs["evidence"]["signal"] == "coverage"
            assert frozen.constraints["collapsed"] > 0
    best = made.state().best_trial
    assert best is not None
    assert study.best_trial.number == best.number


def test_optunas_dashboard_opens_it(exported: Path) -> None:
    app = wsgi(optuna.storages.JournalStorage(JournalFileBackend(str(exported / STUDY))))
    status: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/studies", "wsgi.url_scheme": "http", "SERVER_NAME": "x"}
    body = b"".join(app(environ | {"SERVER_PORT": "80"}, lambda said, headers, error=None: status.append(said)))
    assert status == ["200 OK"], body
    assert [study["study_name"] for study in json.loads(body)["study_summaries"]] == ["made"]


def test_exported_again_it_is_one_study_and_what_cannot_be_written_is_a_line(made: Made, tmp_path: Path) -> None:
    export(made.state(), tmp_path / "twice")
    export(made.state(), tmp_path / "twice")
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "twice" / STUDY)))
    assert len(optuna.load_study(study_name="made", storage=storage).trials) == len(made.state().trials)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--out: found .*file: .*; valid: a folder that can be written"):
        export(made.state(), tmp_path / "file")
    with pytest.raises(InputError, match="no trial was proposed yet"):
        export(Made(tmp_path / "empty").state(), tmp_path / "out")

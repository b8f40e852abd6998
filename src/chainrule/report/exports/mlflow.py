"""A database of runs that MLflow reads."""

from __future__ import annotations

import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.errors import ConfigurationError, StorageError
from chainrule.files import refuse_existing
from chainrule.report.exports.curves import points, settings, started
from chainrule.report.study.runs import Run
from chainrule.report.study.study import Study

#: How many figures, and how many settings, MLflow takes at once; and how many characters of a setting.
FIGURES, SETTINGS, CHARACTERS = 1000, 100, 6000
#: What MLflow calls the state of a run.
STATES = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def write_mlflow(study: Study, place: str | os.PathLike[str]) -> None:
    """Write the runs of a study to a new SQLite database; `mlflow ui --backend-store-uri sqlite:///FILE` shows them.

    Raises:
        ConfigurationError: when the library is missing.
        StorageError: when something is there already, or it cannot be written.
        DataError: for a record that cannot be read.

    Example:
        >>> from chainrule.report.study import read_study
        >>> write_mlflow(read_study("study"), "study.db")  # doctest: +SKIP
    """
    target = Path(place)
    refuse_existing(target)
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of each table that it makes
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        import mlflow
    except ImportError as error:
        raise ConfigurationError("export: mlflow needs the library: pip install 'chainrule[mlflow]'") from error
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as held:
        file = Path(held).absolute() / "mlflow.db"
        try:
            client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{file}")
            artifacts = (study.folder / "runs").absolute().as_uri()
            experiment = client.create_experiment(study.name, artifact_location=artifacts)
            for run in study.runs:
                _write(client, mlflow.entities, experiment, study, run)
        except mlflow.exceptions.MlflowException as error:
            raise StorageError(f"cannot write {target}: {error}") from error
        finally:
            with suppress(Exception):  # close the database, where the library has a way to
                client._tracking_client.store._dispose_engine()  # noqa: SLF001
        try:
            file.replace(target)
        except OSError as error:
            raise StorageError(f"cannot write {target}: {error.strerror or error}") from error


def _write(client: Any, entities: Any, experiment: str, study: Study, run: Run) -> None:
    """A run with its settings and figures."""
    begin = end = started(study, run)
    tags = {"configuration": run.configuration, "stage": run.stage, "state": run.state, "reason": run.reason}
    made = client.create_run(experiment, start_time=int(1000 * begin), tags=tags, run_name=run.name).info.run_id
    given = [entities.Param(name, str(x)[:CHARACTERS]) for name, x in settings(run).items()]
    figures = []
    for point in points(study, run):
        end = point.time
        figures += [entities.Metric(name, x, int(1000 * end), point.step) for name, x in point.figures.items()]
    for start in range(0, len(given), SETTINGS):
        client.log_batch(made, params=given[start : start + SETTINGS])
    for start in range(0, len(figures), FIGURES):
        client.log_batch(made, metrics=figures[start : start + FIGURES])
    client.set_terminated(made, STATES[run.state], end_time=int(1000 * end))

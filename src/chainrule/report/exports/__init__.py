"""Exports: the records of a study in the forms that other tools read."""

from chainrule.report.exports.mlflow import write_mlflow as write_mlflow
from chainrule.report.exports.tensorboard import write_tensorboard as write_tensorboard

#: What writes each format.
EXPORTS = {"tensorboard": write_tensorboard, "mlflow": write_mlflow}

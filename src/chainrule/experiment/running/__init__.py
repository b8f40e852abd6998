"""Running: how the jobs of an experiment are done, several at once."""

from chainrule.experiment.running.dask_workers import Dask as Dask
from chainrule.experiment.running.processes import Processes as Processes
from chainrule.experiment.running.ray_workers import Ray as Ray
from chainrule.experiment.running.threads import Threads as Threads
from chainrule.experiment.running.workers import WORKERS as WORKERS
from chainrule.experiment.running.workers import Workers as Workers
from chainrule.experiment.running.workers import cores as cores
from chainrule.experiment.running.workers import workers_named as workers_named

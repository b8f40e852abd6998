"""Tests keep compiled kernels in a folder of their own, which all processes of a test run share."""

import os
import tempfile

from hypothesis import settings

#: A machine that is busy is no fault.
settings.register_profile("chainrule", deadline=None)


def pytest_configure(config):
    settings.load_profile("chainrule")
    if not hasattr(config, "workerinput"):  # a worker has the environment of what started it
        folder = tempfile.TemporaryDirectory(prefix="chainrule-kernels-")
        config.add_cleanup(folder.cleanup)
        os.environ["CHAINRULE_CACHE"] = folder.name

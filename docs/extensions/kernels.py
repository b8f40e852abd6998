"""Kernels that run the pages begin as forks of a process that has loaded already what each of them loads."""

import logging
import multiprocessing
import os
from importlib.metadata import EntryPoint

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

FORKS = multiprocessing.get_context("forkserver")
#: What is loaded before: the kernel itself, and what nearly all pages import.
LOADED = ["ipykernel.kernelapp", "ipykernel.zmqshell", "IPython.core.completer", "numpy"]
LOADED += [f"chainrule.{x}" for x in ("nn", "optim", "native.compile", "drawing.arrays", "drawing.plot")]


class Kernel(FORKS.Process):
    """A kernel's process, which is asked as one that a command has started."""

    stdin = stdout = stderr = None

    def __init__(self, settings, folder, environment):
        super().__init__()
        self.settings, self.folder, self.environment = settings, folder, environment

    def run(self):
        """Be a kernel, and end with the process that this is a fork of."""
        from ipykernel.kernelapp import IPKernelApp

        os.setpgrp()  # whoever ends a kernel ends what it has started
        os.environ.update(self.environment)
        os.chdir(self.folder)
        IPKernelApp.launch_instance(argv=self.settings, parent_handle=os.getppid(), log_level=logging.ERROR)

    def poll(self):
        """With what it has ended; None while it runs."""
        return self.exitcode

    def wait(self):
        """With what it ends."""
        self.join()
        return self.exitcode

    def send_signal(self, number):
        """Send it a signal."""
        os.kill(self.pid, number)


class Forked(LocalProvisioner):
    """Starts kernels by a fork."""

    async def launch_kernel(self, cmd, **settings):
        """Start one with the settings that follow the module in the command."""
        FORKS.set_forkserver_preload(LOADED)
        self.process = Kernel(cmd[cmd.index("-f") :], settings.get("cwd") or ".", settings["env"])
        self.process.start()
        self.pid = self.pgid = self.process.pid
        return self.connection_info


def setup(app):
    """Make this the way in which kernels are started."""
    factory = KernelProvisionerFactory.instance()
    factory.provisioners["forked"] = EntryPoint("forked", "kernels:Forked", KernelProvisionerFactory.GROUP_NAME)
    factory.default_provisioner_name = "forked"
    return {"parallel_read_safe": True, "parallel_write_safe": True}

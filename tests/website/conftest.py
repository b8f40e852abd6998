"""The site, built once for all tests that look at it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule.files import Lock
from tests.website.looking import chromium

ROOT = Path(__file__).parents[2]
#: A warning is an error; pages are run anew, whatever was run before.
BUILD = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "2", "-D", "nb_execution_mode=force", "docs"]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site: whichever process asks first builds it, and the others wait."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    built, said = folder / "site", folder / "site.txt"
    while not said.exists():
        try:
            lock = Lock(folder / "site.lock")
        except BlockingIOError:
            time.sleep(0.2)
            continue
        if not said.exists():
            done = subprocess.run([*BUILD, str(built)], cwd=ROOT, capture_output=True, text=True, check=False)
            made = said.with_suffix(".made")
            made.write_text(f"{done.returncode}\n{done.stdout}{done.stderr}", encoding="utf-8")
            made.rename(said)
        lock.release()
    status, _, output = said.read_text(encoding="utf-8").partition("\n")
    assert status == "0", output
    return built


@pytest.fixture(scope="session")
def browser():
    """A browser, one for all tests."""
    with chromium() as launched:
        yield launched

"""`chainrule watch`: a page on this machine until Ctrl-C."""

import re
import signal
import socket
import urllib.request

import pytest

from tests.report.study.folders import Folder


@pytest.fixture
def study(tmp_path):
    return Folder(tmp_path / "study").write()


def test_it_serves_until_it_is_interrupted(start, study):
    process = start("watch", study, "--port", "0")
    line = process.stdout.readline().decode()
    (address,) = re.findall(r"^(http://127\.0\.0\.1:[0-9]+/) shows the study; Ctrl-C ends it$", line)
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert b"3 learners, 9 runs</h1>" in answer.read()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == b""


def test_what_is_refused(refused, study, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} cannot be used: Address already in use" in refused("watch", study, "--port", port)
    for port in ("-1", "65536", "http", "1.5", ""):
        assert "--port must be a whole number from 0 to 65535" in refused("watch", study, f"--port={port}")
    assert "is no study" in refused("watch", tmp_path, "--port", "0")

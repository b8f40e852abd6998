"""`chainrule serve`: a server in a process of its own, until it is told to end."""

import asyncio
import contextlib
import importlib.util
import random
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from chainrule.models import Model
from tests.models.make_saved import TEXTS
from tests.serve.attacks import attack, in_flight, malformed, request

MODEL = Path(__file__).parents[1] / "models" / "saved" / "0.2.0-ffnn"


@pytest.fixture
def serve(start):
    """Start a server; its process and its address."""

    def call(*words):
        process = start("serve", MODEL, "--port", "0", *words)
        line = process.stdout.readline().decode()
        (address,) = re.findall(r"^(http://127\.0\.0\.1:[0-9]+)/ answers for 0\.2\.0-ffnn; Ctrl-C ends it$", line)
        return process, address

    return call


def ended(process, number=signal.SIGTERM):
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, b"", b"")


def test_it_answers_as_predict_does_until_it_is_told_to_end(serve):
    process, address = serve()
    model = Model.load(MODEL)
    expected = [answer.json() for answer in model.answers(TEXTS)]
    with httpx.Client(base_url=address, timeout=60) as client:
        assert client.post("/predict", json=TEXTS).json() == expected
        assert client.post("/predict/batch", json=TEXTS).json() == expected
        for text in TEXTS:
            (alone,) = model.answers([text])
            assert client.post("/predict", json={"text": text}).json() == alone.json()
        assert client.get("/health").json()["answered"] == 2 + len(TEXTS)
        assert client.get("/").headers["content-type"].startswith("text/html")
        assert set(client.get("/openapi.json").json()["paths"]) >= {"/predict", "/predict/batch"}
    ended(process, signal.SIGINT)


def test_requests_in_flight_are_answered_before_it_ends(serve):
    process, address = serve("--waiting", "100000")
    port = int(address.rpartition(":")[2])
    assert asyncio.run(in_flight(port, process, 8)) == 8
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, b"", b"")


def test_malformed_requests_are_refused_and_it_goes_on(serve):
    """Bytes of all kinds, some of which are no HTTP; `make serving` sends 10,000."""
    process, address = serve()
    port = int(address.rpartition(":")[2])
    statuses, tracebacks = asyncio.run(attack(port, 300))
    assert tracebacks == 0
    assert statuses["400"] > 100
    assert set(statuses) <= {"", "200", "400", "403", "404", "405", "408", "413"}
    assert httpx.post(f"{address}/predict", json="good").status_code == 200
    ended(process)


def test_a_request_of_100_megabytes_is_refused_early(serve):
    process, address = serve()
    host, port = "127.0.0.1", int(address.rpartition(":")[2])
    chunk = b"a" * (1 << 16)
    for head, wrap in (("Content-Length: 104857600", b"%s"), ("Transfer-Encoding: chunked", b"10000\r\n%s\r\n")):
        with socket.create_connection((host, port), timeout=60) as line:
            line.sendall(f"POST /predict HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
            if "chunked" in head:
                for _ in range(20):
                    line.sendall(wrap % chunk)
            answer = line.recv(1 << 16)
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b"expected at most 1,048,576 bytes" in answer or b"expected at most" in line.recv(1 << 16)
    body = b'"' + b"a" * (100 << 20) + b'"'
    assert httpx.post(f"{address}/predict", content=body, timeout=60).status_code == 413
    assert httpx.post(f"{address}/predict", json="good").status_code == 200
    ended(process)


def test_an_answer_that_is_not_read_and_a_request_that_does_not_come(serve):
    """Connections that say nothing, or half of something, keep nobody from asking, nor the server from ending."""
    process, address = serve()
    port = int(address.rpartition(":")[2])
    lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for number, line in enumerate(lines):
        line.sendall(request(b'"good"')[: number * 4])
    assert httpx.post(f"{address}/predict", json="good").status_code == 200
    for line in lines:
        line.close()
    ended(process)


def test_connections_beyond_the_most_are_refused(serve):
    process, address = serve("--connections", "2")
    port = int(address.rpartition(":")[2])
    answers = []
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            line.sendall(request(b'"good"'))
            answers.append(line.recv(1 << 16)[:12])
    assert answers == [b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 503"]
    ended(process)


IN_PYTHON = """
import sys
from chainrule.models import Model
from chainrule.serve import serve
from chainrule.serve.listening import listen
listening = listen(port=0)
serve(Model.load(sys.argv[1]), listening=listening, ready=lambda: print(listening.getsockname()[1], flush=True))
print("done", flush=True)
"""


def test_in_python(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", IN_PYTHON, str(MODEL)], stdout=subprocess.PIPE)
    try:
        port = int(process.stdout.readline())
        address = f"http://127.0.0.1:{port}"
        assert httpx.post(f"{address}/predict", json=["good"]).status_code == 200
        assert "There is no record of its training" in httpx.get(f"{address}/card").text
        assert httpx.get(f"{address}/card.json").json()["model"]["learner"]["name"] == "ffnn"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b"done\n"
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.stdout.close()


def test_what_is_refused(refused, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused("serve", MODEL, "--port", port)
        assert f"host '127.0.0.1', port {port} cannot be used: Address already in use; give another one" in message
    for port in ("-1", "65536", "http", "1.5", "", "9" * 5000):
        assert "--port must be a whole number from 0 to 65535" in refused("serve", MODEL, f"--port={port}")
    assert "port 0 cannot be used" in refused("serve", MODEL, "--host", "no.such.host.invalid", "--port", "0")
    for option in ("bytes", "rows", "waiting", "connections"):
        for value in ("0", "-1", "few", "1.5", ""):
            message = refused("serve", MODEL, f"--{option}={value}")
            assert f"--{option} must be a whole number of 1 or more" in message
    assert "there is no such folder" in refused("serve", tmp_path / "none", "--port", "0")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert "serve needs the library uvicorn: pip install 'chainrule[serve]'" in refused("serve", MODEL)


def test_the_same_malformed_requests_come_of_a_seed():
    one, other = (malformed(random.Random(5)) for _ in range(2))
    assert one == other

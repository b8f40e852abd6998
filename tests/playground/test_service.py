"""The server: what it answers is what the library computes, and nothing it is sent brings it down."""

import http.client
import json
import random
import socket
import struct
import threading
import time
import urllib.parse
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from chainrule.errors import ConfigurationError
from chainrule.playground import PRESETS, Run, Setup, server, service, state_of
from chainrule.playground.page import policy
from chainrule.playground.table import points_of_table


@contextmanager
def serving(table=None):
    with server(0, table) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made.server_address[1]
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def port():
    with serving() as number:
        yield number


def asked(port, path, method="GET", **headers):
    """The status, the headers and the text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def state(port, query):
    status, _, text = asked(port, f"/state?{query}")
    assert status == 200, text
    return json.loads(text)


SETUP = Setup(data="xor", hidden=(3,), engine="eager")


def test_it_answers_what_the_library_trains(port):
    found = state(port, SETUP.address(step=37))
    run = Run(SETUP)
    run.advance(37)
    assert {**found["state"], "curve": None} == {**state_of(run), "curve": None}
    for layer, weight in enumerate(run.weights):
        assert np.array_equal(np.array(found["state"]["weights"][layer], np.float32)[:, :, 0], weight.numpy())
    assert found["scene"]["address"] == SETUP.address()


def test_a_step_that_was_passed_is_reached_anew(port):
    forth, back, again = (state(port, SETUP.address(step=step)) for step in (60, 12, 60))
    assert forth == again
    assert back == state(port, SETUP.address(step=12))
    assert back["state"]["step"] == 12


def test_settings_that_are_left_out_are_the_defaults(port):
    assert state(port, "engine=eager") == state(port, Setup(engine="eager").address(step=0))


def test_the_page_has_the_state_of_its_address(port):
    status, headers, text = asked(port, f"/?{SETUP.address(step=37, unit='1.2')}")
    assert status == 200
    assert headers["Content-Security-Policy"] == policy()
    assert headers["X-Content-Type-Options"] == "nosniff"
    held = state(port, SETUP.address(step=37))
    assert held["state"]["said"] in text
    assert held["state"]["units"][0][1][0] in text
    assert "What unit 1.2 computes" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_a_unit_that_there_is_not_is_none(port):
    for unit in ("9.9", "0.1", "x", "1", "1.", "<b>"):
        status, _, text = asked(port, f"/?{SETUP.address(step=0)}&unit={urllib.parse.quote(unit)}")
        assert status == 200
        assert "How likely orange is" in text


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_addresses_of_examples_are_answered(port, preset):
    found = state(port, preset.setup.address(step=1))
    assert found["state"]["step"] == 1


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/state?hidden=99", 400, "hidden must be whole numbers"),
        ("/state?step=10001", 400, "step must be a whole number from 0 to 10000"),
        ("/state?data=own", 400, "there is no table"),
        ("/?hiden=3", 400, "did you mean 'hidden'?"),
        ("/other", 404, "expected / or /state, got '/other'"),
        ("/state/../../etc/passwd", 404, "expected / or /state"),
        ("/state?" + "x" * 3000, 400, "expected up to 1,500 letters"),
    ],
)
def test_what_cannot_be_answered_is_told(port, path, status, message):
    found, headers, text = asked(port, path)
    assert (found, headers["Content-Type"]) == (status, "application/json; charset=utf-8")
    assert message in json.loads(text)["error"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods(port, method):
    status, _, text = asked(port, "/state", method)
    assert status == 501
    assert "Unsupported method" in json.loads(text)["error"]


def test_the_head_alone(port):
    status, headers, text = asked(port, "/", "HEAD")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 10_000


def test_only_this_machine_and_its_own_page_may_ask(port):
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", "", f"localhost:{port + 1}"):
        status, _, text = asked(port, "/state?step=0", Host=host)
        assert (status, json.loads(text)["error"]) == (403, "this page is for this machine alone")
    assert asked(port, "/state?engine=eager", Host=f"localhost:{port}")[0] == 200
    for site, mode, status in [
        ("cross-site", "no-cors", 403), ("same-site", "cors", 403), ("same-origin", "cors", 200),
        ("none", "navigate", 200), ("cross-site", "navigate", 200),
    ]:  # fmt: skip
        assert asked(port, "/state?engine=eager", Sec_Fetch_Site=site, Sec_Fetch_Mode=mode)[0] == status


def queries(draw):
    """Queries that are wrong somewhere, or odd."""
    names = [x.name for x in Setup.declared()] + ["step", "unit", "x"]
    values = [
        "", "0", "-1", "1e9", "nan", "inf", "none", "all", "true", "1,2,3", "8,8,8,8", "x,y", "relu", "relu:a=1", "own",
        "adam", "sgd:momentum=2", "eager", "%00", "%F0%9F%92%A9", "<script>", "'", "a" * 300, "%D9%A3", "9" * 30,
    ]  # fmt: skip
    parts = [f"{draw.choice(names)}={draw.choice(values)}" for _ in range(draw.randrange(1, 6))]
    return f"engine=eager&{'&'.join(parts)}"


def test_odd_queries_are_answered_or_refused(port):
    draw, statuses = random.Random(7), set()
    for _ in range(300):
        status, _, text = asked(port, f"/{draw.choice(['state', ''])}?{queries(draw)}")
        statuses.add(status)
        assert "Traceback" not in text
        assert status in (200, 400)
        if status == 400:
            assert json.loads(text)["error"]
    assert statuses == {200, 400}


def test_bytes_that_are_no_requests(port):
    draw = random.Random(3)
    for _ in range(60):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            kind = draw.randrange(3)
            if kind == 0:
                connection.sendall(draw.randbytes(draw.randrange(1, 400)) + b"\r\n\r\n")
            elif kind == 1:
                connection.sendall(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n")
            else:
                head = b"GET /state HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(200))
                connection.sendall(head + b"\r\n")
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                assert b"Traceback" not in connection.recv(65536)
    assert asked(port, "/state?engine=eager")[0] == 200


def test_many_at_a_time(port):
    found = []

    def ask(step):
        found.append(asked(port, f"/state?{SETUP.address(step=step)}"))

    threads = [threading.Thread(target=ask, args=(step % 5,)) for step in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _, _ in found} <= {200, 503}
    answers = {json.loads(text)["state"]["step"]: text for status, _, text in found if status == 200}
    for step, text in answers.items():
        assert json.loads(text) == state(port, SETUP.address(step=step))
    assert all("error" in json.loads(text) for status, _, text in found if status == 503)


def test_connections_that_say_nothing(port):
    held = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(service.CONNECTIONS)]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as further:
            further.sendall(f"GET /state HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            with suppress(ConnectionResetError):
                assert further.recv(100) == b""
    finally:
        for connection in held:
            connection.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError, http.client.HTTPException):
            if asked(port, "/state?engine=eager")[0] == 200:
                return
    pytest.fail("it does not answer any more")


def test_whoever_goes_before_the_answer_is_no_error(port, capfd):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            query = SETUP.address(step=100)
            connection.sendall(f"GET /state?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    assert asked(port, "/state?engine=eager")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_training_that_takes_long_is_on_its_way(monkeypatch):
    """Asked again and again, it arrives where one that is not interrupted does."""
    monkeypatch.setattr(service, "PATIENCE", 0.02)
    with serving() as port:
        query, waited = SETUP.address(step=200), 0
        while (answer := asked(port, f"/state?{query}"))[0] == 202:
            waited += 1
            assert "of 200; ask again" in json.loads(answer[2])["waiting"]
            assert answer[1]["Refresh"] == "1"  # a page without scripts asks again, too
    assert waited > 1
    run = Run(SETUP)
    run.advance(200)
    assert {**json.loads(answer[2])["state"], "curve": None} == {**state_of(run), "curve": None}


def test_few_trainings_are_kept():
    held = service.Trainings()
    for seed in range(12):
        held.answer(Setup(seed=seed, engine="eager").address(step=0))
    assert len(held._held) == service.KEPT


def test_a_table_of_ones_own(tmp_path):
    rows = "".join(f"{i},{i * i % 7},{'<b>' if i % 2 else 'é & co'}\n" for i in range(40))
    (tmp_path / "own.csv").write_text("a<i>,b,label\n" + rows, encoding="utf-8")
    table = points_of_table(tmp_path / "own.csv")
    with serving(table) as port:
        _, _, text = asked(port, "/")
        assert '<option value="own" selected>' in text
        for hostile in ("<b>", "<i>"):
            assert hostile not in text
        assert "a&lt;i&gt;" in text
        setup = Setup(data="own", engine="eager")
        found = state(port, setup.address(step=30))
        run = Run(setup, table(setup))
        run.advance(30)
        assert found["state"]["train"] == state_of(run)["train"]
        assert state(port, "data=moons&engine=eager")["scene"]["settings"]["data"] == "moons"


def test_a_port_that_is_in_use():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigurationError, match="cannot be used"):
        server(other.getsockname()[1])
    with pytest.raises(ConfigurationError, match="cannot be used"):
        server(70_000)


def test_the_code_on_the_page_gives_the_same(port, capsys):
    """What the page shows under "The same again" runs, and prints the losses that the page shows."""
    _, _, text = asked(port, f"/?{SETUP.address(step=37)}")
    code = text.partition('<code id="code">')[2].partition("</code>")[0]
    for shown, letter in (("&quot;", '"'), ("&amp;", "&")):
        code = code.replace(shown, letter)
    exec(code, {})
    printed = capsys.readouterr().out
    run = Run(SETUP)
    run.advance(37)
    assert printed.startswith(str(run.measured()))

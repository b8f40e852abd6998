"""The page of a study that goes on: what is served, to whom, and that it is made anew when the records grow."""

import contextlib
import http.client
import json
import re
import threading

import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.report.study.live import HERE, server


@contextlib.contextmanager
def served(folder):
    with server(folder, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield serving.server_address[1]
        finally:
            serving.shutdown()
            thread.join()


def ask(port, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection(HERE, port, timeout=20)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_the_page_follows_the_records(made):
    folder = made()
    lines = (folder / "runs.jsonl").read_text().splitlines(keepends=True)
    (folder / "runs.jsonl").write_text("".join(lines[:2]))
    with served(folder) as port:
        answer, page = ask(port)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "3 learners, 1 run</h1>" in page
        _, state = ask(port, "/state")
        assert f'data-state="{state}"' in page
        assert "connect-src 'self'" in page
        assert '<meta http-equiv="refresh" content="10">' in page
        assert ask(port)[1] == page
        (folder / "runs.jsonl").write_text("".join(lines))
        assert ask(port, "/state")[1] != state
        assert "3 learners, 9 runs</h1>" in ask(port)[1]
        partial = folder / "runs" / "bow-12345678-seed7.partial"
        partial.mkdir()
        before = ask(port, "/state")[1]
        (partial / "record.jsonl").write_text(json.dumps({"kind": "epoch", "epoch": 1}) + "\n")
        assert ask(port, "/state")[1] != before
        assert "bow-12345678-seed7" in ask(port)[1]


def test_it_is_for_this_machine_alone(made):
    with server(made(), 0) as serving:
        assert serving.server_address[0] == "127.0.0.1"


def test_who_comes_by_another_name_is_refused(made):
    with served(made()) as port:
        answer, text = ask(port, Host=f"rebound.example:{port}")
        assert (answer.status, text) == (403, "this page is for this machine alone\n")
        assert ask(port, Host=f"localhost:{port}")[0].status == 200


@pytest.mark.parametrize("path", ["/study.json", "/../study.json", "/%2e%2e/etc/passwd", "/?x"])
def test_no_file_is_served(made, path):
    with served(made()) as port:
        assert ask(port, path)[0].status == 404


def test_other_methods_are_refused(made):
    with served(made()) as port:
        assert ask(port, method="POST")[0].status == 501


def test_records_that_break_meanwhile(made):
    folder = made()
    with served(folder) as port:
        (folder / "runs.jsonl").write_text("[1]\n[2]\n")
        answer, text = ask(port)
        assert (answer.status, answer.headers["Content-Type"]) == (500, "text/plain; charset=utf-8")
        assert "expected a JSON object" in text


def test_a_port_that_is_in_use(made):
    folder = made()
    with served(folder) as port, pytest.raises(ConfigurationError, match=f"port {port} cannot be used: .*--port 0"):
        server(folder, port)


def test_no_study(tmp_path):
    with pytest.raises(DataError, match="is no study"):
        server(tmp_path, 0)


def test_a_page_that_is_not_live_asks_for_nothing(compared):
    from chainrule.report import read_study

    page = read_study(compared).report()
    assert not re.search("fetch|data-state|refresh", page)

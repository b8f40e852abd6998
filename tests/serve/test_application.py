"""What an application answers: as the model does, whoever else asks, and in one message what is wrong."""

import asyncio
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.models import Model
from chainrule.serve.limits import Limits, RequestError
from tests.models.make_saved import NEW, TEXTS
from tests.serve.asking import Request, ask, serving

SAVED = Path(__file__).parents[1] / "models" / "saved"
FOLDERS = sorted(path for path in SAVED.iterdir() if path.is_dir() and path.name.startswith("0.2.0-"))
each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def rows_of(model):
    """Rows as requests have them."""
    if model.task.columns():
        return [{name: cells[row] for name, cells in NEW.items()} for row in range(3)]
    return TEXTS


def given_to(model, rows):
    """The same as Python has them."""
    return {name: [row[name] for row in rows] for name in NEW} if model.task.columns() else list(rows)


@pytest.fixture(scope="module")
def bow():
    with serving(Model.load(SAVED / "0.2.0-bow"), bytes=2000, rows=20) as application:
        yield application


@pytest.fixture(scope="module")
def tags():
    with serving(Model.load(SAVED / "0.2.0-tag-gru")) as application:
        yield application


@pytest.fixture(scope="module")
def columns():
    with serving(Model.load(SAVED / "0.2.0-mlp")) as application:
        yield application


@each_folder
def test_it_answers_as_the_model_does(folder):
    model = Model.load(folder)
    rows = rows_of(model)
    expected = [answer.json() for answer in model.answers(given_to(model, rows))]
    with serving(model) as application:
        assert ask(application, rows).json == expected
        assert ask(application, rows, "/predict/batch").json == expected
        for row in rows[:3]:
            (alone,) = model.answers(given_to(model, [row]))
            assert ask(application, row).json == alone.json()
            named = row if model.task.columns() else {"text": row, "id": 7}
            assert ask(application, named).json == alone.json()
        assert ask(application, []).json == []


@each_folder
def test_answers_have_the_same_bits_whoever_else_asks(folder):
    """Of the numbers that are shown; `test_batches_change_no_bit` looks at the last bit of those that are not."""
    model = Model.load(folder)
    rows = rows_of(model)
    parts = [rows[:1], rows[1:3], rows[2:], rows[:2]]
    with serving(model) as application:

        async def together():
            return await asyncio.gather(*(Request(part).to(application) for part in parts * 3))

        expected = [[x.json() for x in model.answers(given_to(model, part))] for part in parts]
        assert [answer.json for answer in asyncio.run(together())] == expected * 3


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh"])
def test_batches_change_no_bit_where_requests_go_through_the_network_together(output):
    draws = np.random.default_rng(0)
    words = [f"w{i}" for i in range(200)]
    texts = [" ".join(draws.choice(words, draws.integers(0, 40))) for _ in range(100)]
    for labels in (2, 3, 8, 17)[: 1 if output != "softmax" else None]:
        table = chainrule.Table.from_lists([f"w1 {x}" for x in texts], [i % labels for i in range(100)])
        task, training = chainrule.Classify(output=output), chainrule.Training(epochs=1)
        model = chainrule.fit(chainrule.BagOfWords(), table, table, task=task, training=training).model
        assert model.network.row_by_row
        examples = model.encode(texts)
        alone = np.concatenate([model.responses(examples.slice(i, i + 1)) for i in range(100)])
        for size in (2, 3, 4, 7, 8, 15, 16, 17, 32, 33, 64, 100):
            for start in range(0, 100 - size + 1, max(3, size // 2)):
                found = model.responses(examples.slice(start, start + size))
                assert np.array_equal(found, alone[start : start + size]), (labels, size, start)


def test_networks_with_matrix_products_are_asked_one_request_at_a_time():
    together = {folder.name for folder in FOLDERS if Model.load(folder).network.row_by_row}
    assert together == {"0.2.0-bow"}


def test_lists_of_tokens(tags):
    model = Model.load(SAVED / "0.2.0-tag-gru")
    tokens = [["so", "dull", ",", "so", "cold"], ["everyone"]]
    expected = [answer.json() for answer in model.answers(tokens)]
    assert ask(tags, [{"tokens": x} for x in tokens]).json == expected
    assert ask(tags, {"tokens": tokens[0]}).json == expected[0]
    assert "got both" in ask(tags, [{"tokens": ["a"]}, "a"]).json["error"]


def test_a_wrong_request_does_not_harm_those_beside_it(columns):
    """Cells that only the model can refuse are refused for whoever sent them."""
    row = {name: cells[0] for name, cells in NEW.items()}

    async def together():
        bodies = [row, {**row, "m²": "no number"}, row]
        return await asyncio.gather(*(Request(body).to(columns) for body in bodies))

    first, wrong, last = asyncio.run(together())
    assert (first.status, wrong.status, last.status) == (200, 400, 200)
    assert first.json == last.json
    assert "'no number'" in wrong.json["error"]


def test_the_likeliest_labels(bow, columns):
    answer = ask(bow, "good fun", query="top=1").json
    assert list(answer["probabilities"]) == [answer["prediction"]]
    refused = {
        "top=0": "got '0'",
        "top=": "got ''",
        "top=-1": "got '-1'",
        "top=9999999999": "got '9999999999'",
        "top=1&top=2": "expected top alone, once",
        "k=1": "expected top alone, once",
    }
    for query, message in refused.items():
        assert message in ask(bow, "good fun", query=query).json["error"], query
    regression = Model.load(SAVED / "0.2.0-linear")
    with serving(regression) as application:
        found = ask(application, rows_of(regression)[0], query="top=1")
    assert found.status == 400
    assert "does not answer by a label" in found.json["error"]


MALFORMED = {
    b"": "body, line 1, column 1: expected JSON, got what is none: Expecting value",
    b'{"text": "a"': "body, line 1, column 13: expected JSON, got what is none",
    b"\xff": "body: expected JSON in UTF-8",
    b"[" * 1999: "got JSON that is nested too deeply",
    b"9" * 1999: "expected a text",
    b'{"text": NaN}': "NaN, which JSON does not have",
    b"5": 'body: expected a text, or an object such as {"text": "..."}, got 5',
    b"true": "got true",
    b"null": "got null",
    b"{}": "got an object with none",
    b'{"texts": "a"}': "got an object with 'texts'",
    b'{"text": ["a"]}': "body, text: expected a text, or an object such as",
    b'["a", {"text": 5}]': "row 1 (the first is 0), text: expected a text",
    b'"\\ud800"': "body: expected a text, got half of a surrogate pair",
    b'{"text": {"text": "a"}}': "got an object with 'text'",
}


@pytest.mark.parametrize(("body", "message"), MALFORMED.items(), ids=lambda x: str(x)[:20])
def test_malformed_requests(bow, body, message):
    answer = ask(bow, body)
    assert answer.status == 400
    assert message in answer.json["error"]
    assert answer.json["error"] == "{where}: expected {expected}, got {got}".format(**answer.json)


def test_malformed_rows_of_columns(columns):
    row = {name: cells[0] for name, cells in NEW.items()}
    refused = {
        '"a"': "body: expected an object with the columns 'rooms, all', 'm²', 'where', 'kind', got 'a'",
        json.dumps(
            {**row, "m²": [1]}
        ): "body, column 'm²': expected a text, a number, a boolean or null, got a list of 1",
        json.dumps([row, {"m²": 1}]): "row 1 (the first is 0): expected an object with the columns",
        json.dumps({**row, "m²": 1e999}).replace("Infinity", "1e999"): "m²",
    }
    for body, message in refused.items():
        answer = ask(columns, body.encode())
        assert answer.status == 400, body
        assert message in answer.json["error"]


def test_tokens_that_are_none(tags):
    refused = {
        '{"tokens": "a b"}': "body, tokens: expected a list of tokens, got 'a b'",
        '{"tokens": ["a", ""]}': "body, tokens, number 1: expected a token",
        '{"tokens": [["a"]]}': "body, tokens, number 0: expected a token",
        '["a", ["b"]]': "row 1 (the first is 0): expected a text",
    }
    for body, message in refused.items():
        assert message in ask(tags, body.encode()).json["error"]


def test_too_much(bow):
    for settings_ in ({}, {"headers": {"content-length": "2001"}}, {"parts": 5}):
        answer = ask(bow, b'"' + b"a" * 1999 + b'"', **settings_)
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert "body: expected at most 2,000 bytes" in answer.json["error"]
    odd = ask(bow, b"", headers={"content-length": "-1"})
    assert (odd.status, odd.json["where"]) == (400, "header content-length")
    huge = ask(bow, b"", headers={"content-length": "9" * 40})
    assert huge.status == 413
    rows = ask(bow, ["a"] * 21)
    assert rows.status == 413
    assert rows.json["error"] == "body: expected at most 20 rows, in several requests, got 21"


def test_other_addresses_and_methods(bow):
    assert ask(bow, path="/predict", method="GET").headers["allow"] == "POST"
    assert ask(bow, path="/predict", method="GET").status == 405
    assert ask(bow, path="/health", method="POST").status == 405
    nowhere = ask(bow, path="/nowhere", method="GET")
    assert nowhere.status == 404
    assert nowhere.json["got"] == "'/nowhere'"
    assert "a list of rows" in ask(bow, "good fun", "/predict/batch").json["error"]


def test_pages_from_elsewhere_do_not_ask(bow):
    for host in ("localhost", "127.0.0.1:9", "[::1]:8000", "LOCALHOST:1"):
        assert ask(bow, "good", headers={"host": host}).status == 200
    for host in ("example.org", "localhost.example.org", "127.0.0.1.example.org:8000", ""):
        assert ask(bow, "good", headers={"host": host}).status == 403
        assert ask(bow, path="/health", method="GET", headers={"host": host}).status == 403
    with serving(Model.load(SAVED / "0.2.0-bow"), host="0.0.0.0") as application:
        assert ask(application, "good", headers={"host": "example.org"}).status == 200


class Slow:
    """A model that answers when it is told to."""

    def __init__(self, model):
        self.go, self._model = threading.Event(), model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def answers(self, rows, *, engine):
        assert self.go.wait(60)
        return self._model.answers(rows, engine=engine)


def test_it_rejects_what_is_too_much_and_goes_on():
    model = Slow(Model.load(SAVED / "0.2.0-bow"))
    model.go.set()
    with serving(model, waiting=3) as application:
        model.go.clear()

        async def crowd():
            first = [asyncio.create_task(Request("good").to(application)) for _ in range(3)]
            await asyncio.sleep(0)
            rejected = [await Request("good").to(application) for _ in range(5)]
            busy = await Request(path="/health", method="GET").to(application)
            model.go.set()
            return await asyncio.gather(*first), rejected, busy, await Request("good").to(application)

        accepted, rejected, busy, later = asyncio.run(crowd())
        assert [x.status for x in accepted] == [200] * 3
        assert {x.status for x in rejected} == {503}
        assert rejected[0].headers["retry-after"] == "1"
        assert (busy.json["status"], busy.json["waiting"], busy.json["rejected"]) == ("busy", 3, 5)
        assert later.status == 200
        health = ask(application, path="/health", method="GET").json
        assert (health["status"], health["waiting"], health["answered"]) == ("ok", 0, 4)


def test_a_model_that_fails_says_so_and_goes_on(capfd):
    model = Slow(Model.load(SAVED / "0.2.0-bow"))
    model.go.set()

    def answers(rows, *, engine):
        if "bad" in rows:
            raise ZeroDivisionError("a secret")
        return model._model.answers(rows, engine=engine)

    model.answers = answers
    with serving(model) as application:
        failed = ask(application, ["good", "bad"])
        assert failed.status == 500
        assert failed.json["error"] == "model: expected an answer, got an error of type ZeroDivisionError; see the log"
        assert b"secret" not in failed.body

        async def together():
            return await asyncio.gather(*(Request(text).to(application) for text in ("good", "bad", "good")))

        assert [x.status for x in asyncio.run(together())] == [200, 500, 200]
    assert "a secret" in capfd.readouterr().err


def test_a_slow_body(bow):
    async def hanging():
        sent = []

        async def receive():
            await asyncio.sleep(60)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": []}
        await application(scope, receive, send)
        return sent

    with serving(Model.load(SAVED / "0.2.0-bow"), seconds=1) as application:
        start, body, _ = asyncio.run(hanging())
    assert start["status"] == 408
    assert b"expected all of it in 1 seconds" in body["body"]


def test_whoever_goes_gets_nothing(bow):
    request = Request("good", parts=2)
    request.body = b'"go'

    async def gone():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            raise AssertionError(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": []}
        await bow(scope, receive, send)

    asyncio.run(gone())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["text", "tokens", *NEW, "a"]), inner, max_size=5)
    ),
    max_leaves=8,
)
BODIES = st.binary(max_size=100) | JSON.map(lambda held: json.dumps(held).encode())


@settings(max_examples=300)
@given(body=BODIES, path=st.sampled_from(["/predict", "/predict/batch"]), parts=st.integers(1, 3))
def test_whatever_comes_is_answered_or_refused(bow, tags, columns, body, path, parts):
    async def all_of_them():
        request = Request(body, path, parts=parts)
        return await asyncio.gather(*(request.to(application) for application in (bow, tags, columns)))

    for answer in asyncio.run(all_of_them()):
        assert answer.status in (200, 400), answer
        if answer.status == 400:
            assert answer.json["error"]
            assert "Traceback" not in answer.json["error"]


def test_limits_are_whole_numbers():
    for name in ("bytes", "rows", "waiting", "connections", "seconds"):
        for value in (0, -1, 1.5, True, "3", None):
            with pytest.raises(ConfigurationError, match=f"limits: {name} must be a whole number of 1 or more, got"):
                Limits(**{name: value})


def test_errors_survive_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(RequestError("body", "JSON", "none", 413, {b"a": b"b"})))
    assert (str(error), error.status, error.headers) == ("body: expected JSON, got none", 413, {b"a": b"b"})

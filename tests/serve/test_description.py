"""What a server tells of itself is true, and its page needs nothing from elsewhere."""

import json
import re

import pytest

from chainrule.models import Model
from tests.serve.asking import SAVED, ask, serving

FOLDER = SAVED.parent

NAMES = ["bow", "mlp", "tag-gru"]


@pytest.mark.parametrize("name", NAMES)
def test_the_description_is_true(name):
    with serving(Model.load(FOLDER / f"0.2.0-{name}")) as application:
        held = ask(application, path="/openapi.json", method="GET").json
        assert held["openapi"].startswith("3.1")
        for path in ("/predict", "/predict/batch"):
            operation = held["paths"][path]["post"]
            example = operation["requestBody"]["content"]["application/json"]["example"]
            answer = operation["responses"]["200"]["content"]["application/json"]["example"]
            assert ask(application, example, path).json == answer
        for path, methods in held["paths"].items():
            if "get" in methods:
                found = ask(application, path=path, method="GET")
                assert found.status == 200
                (kind,) = methods["get"]["responses"]["200"]["content"]
                assert found.headers["content-type"].startswith(kind)
        for name in re.findall(r"#/components/schemas/(\w+)", json.dumps(held)):
            assert name in held["components"]["schemas"]


def test_the_page_needs_nothing_from_elsewhere():
    with serving(Model.load(FOLDER / "0.2.0-mlp"), name="<script>alert(1)</script>") as application:
        answer = ask(application, path="/", method="GET")
    text = answer.body.decode()
    assert "<script>alert" not in text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert set(re.findall(r"https?://[^\s\"'&<]+", text)) == {
        "http://localhost:8000/predict",
        "http://localhost:8000/predict/batch",
    }
    assert not re.search(r"<(link|img|iframe)|src=", text)

"""What the built site holds: every page, every concept, nothing from elsewhere, and not much of anything."""

import html
import importlib
import re
import sys
import tomllib
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from tests.website.conftest import ROOT

DOCS = ROOT / "docs"
COURSE = sorted((DOCS / "course").glob("[0-9]*.md"))
#: What a page and its style sheets may come to, in bytes.
MOST = 300_000
#: Sections of the site, and what each at least has.
GUIDE = "install data training experiments tagging language_models pretrained serve".split()
INSIDES = "graph autodiff compile native deferred_updates sequences".split()
REFERENCE = "functions settings losses optimizers activations initialisation reference/layers reference/errors".split()


class Page(HTMLParser):
    """The elements of a page: its links, what it loads, and its places."""

    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.loads, self.ids, self.styles, self.tags = path, [], [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        held = dict(attrs)
        self.tags.append(tag)
        if "id" in held:
            self.ids.append(held["id"])
        if tag == "a" and "href" in held:
            self.links.append(held["href"])
        if "src" in held:
            self.loads.append(held["src"])
        if tag == "link" and held.get("rel") not in ("next", "prev", "search", "index"):
            self.loads.append(held["href"])
        if tag == "link" and held.get("rel") == "stylesheet":
            self.styles.append(self.path.parent / urlsplit(held["href"]).path)


@pytest.fixture(scope="module")
def pages(site):
    """Each page by its name, such as `course/01_neuron`."""
    return {str(path.relative_to(site).with_suffix("")): Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_there(pages):
    for path in [*DOCS.glob("*.md"), *DOCS.glob("*/*.md")]:
        assert str(path.relative_to(DOCS).with_suffix("")) in pages
    for name in [*GUIDE, *INSIDES, *REFERENCE]:
        assert name in pages


def test_nothing_comes_from_elsewhere(site, pages):
    for name, page in pages.items():
        for target in page.loads:
            where = urlsplit(target)
            assert where.scheme in ("", "data"), f"{name} loads {target}"
            assert where.scheme or (page.path.parent / unquote(where.path)).exists(), f"{name} loads {target}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_what_is_read_before_a_page_shows_is_little(pages):
    sizes = {name: sum(path.stat().st_size for path in [page.path, *page.styles]) for name, page in pages.items()}
    assert {name: size for name, size in sizes.items() if size > MOST} == {}


def test_links_lead_somewhere_and_places_are_named_once(pages):
    places = {page.path: set(page.ids) for page in pages.values()}
    for name, page in pages.items():
        assert len(page.ids) == len(places[page.path]), (
            f"{name} names { {x for x in page.ids if page.ids.count(x) > 1} }"
        )
        for target in page.links:
            where = urlsplit(target)
            if where.scheme or where.netloc:
                continue
            path = (page.path.parent / unquote(where.path)).resolve() if where.path else page.path
            assert path.exists(), f"{name} links to {target}"
            if where.fragment and path in places and "playground" not in name:  # whose places are its settings
                assert unquote(where.fragment) in places[path], f"{name} links to {target}"


@pytest.mark.parametrize("source", COURSE, ids=lambda path: path.stem)
def test_a_page_of_the_course_has_what_it_should(pages, source):
    """An equation, a picture, code that makes a claim, what is to be tried and what comes of it."""
    page = pages[f"course/{source.stem}"]
    text = source.read_text(encoding="utf-8")
    assert {"math", "svg", "pre", "details"} <= set(page.tags)
    assert "assert " in text
    assert "try-it" in page.ids


def test_every_concept_has_its_place(pages):
    """The map is made from one list; that its places are there, the test of links says."""
    concepts = tomllib.loads((DOCS / "course" / "map.toml").read_text(encoding="utf-8"))
    assert {path.stem for path in COURSE} == set(concepts)
    text = html.unescape(pages["course/map"].path.read_text(encoding="utf-8")).replace("’", "'")
    shown = re.findall(r'href="(\w+)\.html#[^"]+"><span[^>]*>(.*?)</span></a>', text)
    wanted = {(page, concept) for page, held in concepts.items() for concept in held}
    assert wanted <= set(shown)


def test_every_public_name_is_in_the_reference(pages):
    sys.path.insert(0, str(DOCS / "extensions"))
    try:
        docstrings = importlib.import_module("docstrings")
    finally:
        sys.path.pop(0)
    shown = {place for name, page in pages.items() if name.startswith("reference/") for place in page.ids}
    for module in ("blocks", "nn", "optim", "errors"):
        for home, name, _ in docstrings.public(f"chainrule.{module}"):
            assert f"chainrule.{module}.{name}" in shown or not home.startswith(f"chainrule.{module}"), name

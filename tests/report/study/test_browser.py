"""The page in a real browser: headless Chromium, as a system has it (`apt install chromium`), led by Playwright."""

import shutil
import threading

import pytest
from playwright.sync_api import sync_playwright

from chainrule.report import read_study
from chainrule.report.study.live import server
from tests.report.study.folders import Folder
from tests.report.study.test_page import HOSTILE

CHROMIUM = next((x for name in ("chromium", "chromium-browser", "google-chrome") if (x := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def opened(browser):
    """Open a page; nothing of it may complain, nor ask for anything from elsewhere."""
    contexts, complaints = [], []

    def call(address, **settings):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda asked: asked.url.startswith((address, "data:")) or complaints.append(asked.url))
        page.goto(address)
        return page

    yield call
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def written(tmp_path):
    """The address of the page of a study."""

    def call(folder):
        path = tmp_path / "page.html"
        path.write_text(read_study(folder).report(), encoding="utf-8")
        return path.as_uri()

    return call


def first_column(page, table, column):
    return page.locator(f"{table} tbody tr:visible > :nth-child({column})").all_inner_texts()


def test_tables_are_sorted_by_a_click_and_by_a_key(opened, written, searched):
    page = opened(written(searched))
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    table = "#ranking details table"
    ranks = first_column(page, table, 1)
    heading = page.locator(f"{table} thead th").nth(3)
    heading.click()
    assert heading.get_attribute("aria-sort") == "ascending"
    values = [float(x.split()[0]) for x in first_column(page, table, 4) if x != "–"]
    assert values == sorted(values)
    assert first_column(page, table, 4)[-1] == "–"  # what is missing stays below
    heading.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [float(x.split()[0]) for x in first_column(page, table, 4) if x != "–"] == sorted(values, reverse=True)
    assert first_column(page, table, 4)[-1] == "–"
    page.locator(f"{table} thead th").nth(0).click()
    assert first_column(page, table, 1) == ranks


def test_tables_are_filtered_by_what_is_typed(opened, written, searched):
    page = opened(written(searched))
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    table, field = "#ranking details table", page.locator("#ranking details input.filter")
    count = len(first_column(page, table, 2))
    field.fill("BOW relu")
    found = first_column(page, table, 2)
    assert 0 < len(found) < count
    assert all(label.startswith("bow ") for label in found)
    field.fill("")
    assert len(first_column(page, table, 2)) == count


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_at_any_width(opened, written, searched, width):
    page = opened(written(searched), viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    letters = page.evaluate("parseFloat(getComputedStyle(document.querySelector('#ranking td')).fontSize)")
    assert letters >= 13


def test_it_is_all_there_without_scripts(opened, written, compared):
    address = written(compared)
    with_scripts, without = (opened(address, java_script_enabled=on) for on in (True, False))
    for what in ("section", "table", "svg", "details", "tbody tr"):
        assert without.locator(what).count() == with_scripts.locator(what).count() > 0
    assert without.locator("input").count() == 0  # no field that does nothing


def test_dark_screens_have_colours_of_their_own(opened, written, compared):
    address = written(compared)
    ask = "[document.body, document.querySelector('rect.paper'), document.querySelector('#ranking .number')]"
    ask = f"{ask}.map((x) => getComputedStyle(x)[x === document.body ? 'backgroundColor' : 'fill'])"
    light, dark = (opened(address, color_scheme=scheme).evaluate(ask) for scheme in ("light", "dark"))
    assert light[0] == light[1]
    assert dark[0] == dark[1]
    assert all(a != b for a, b in zip(light, dark, strict=True))


def test_on_paper_folds_are_open(opened, written, compared):
    page = opened(written(compared))
    closed = page.locator("details:not([open])").count()
    assert closed > 3
    assert page.pdf().startswith(b"%PDF")
    assert page.locator("details:not([open])").count() == 0


def test_points_say_their_numbers(opened, written, compared):
    page = opened(written(compared))
    told = page.locator("#curves svg circle > title").all_text_contents()
    assert len(told) == 3 * 3 * 6
    assert told[0].startswith("bow: 0.")
    assert told[0].endswith(" at epoch 1")


def test_a_line_that_is_pointed_at_stands_out_and_says_its_settings(opened, written, searched):
    """All runs of the search as lines through their settings, without any script."""
    page = opened(written(searched), java_script_enabled=False)
    lines = page.locator("#effects g.run")
    study = read_study(searched)
    values = [run.valid["accuracy"] for run in study.searched]
    assert lines.count() == len(values)
    best = lines.last  # on top of all others
    told = best.locator("title").text_content()
    assert told.startswith(f"accuracy {max(values):.4f}, ")
    assert all(f", {name} " in told for name in ("learner", "learning rate", "dim", "activation"))
    line = best.locator("polyline")
    width = "element => getComputedStyle(element).strokeWidth"
    assert line.evaluate(width) == "1.5px"
    corner = line.evaluate(
        "element => { const p = element.points[0], m = element.getScreenCTM();"
        " return [p.x * m.a + m.e + scrollX, p.y * m.d + m.f + scrollY]; }"
    )
    page.evaluate("([x, y]) => scrollTo(0, y - 200)", corner)
    page.mouse.move(corner[0], corner[1] - page.evaluate("scrollY") + 0.5)
    assert line.evaluate(width) == "4px"


def test_hostile_texts_do_nothing(opened, written, tmp_path):
    learners = [{"name": HOSTILE}, {"name": "bow"}]
    folder = Folder(tmp_path / "study", learners, labels=(HOSTILE, "b"), texts=(HOSTILE, f"a {HOSTILE}")).write()
    page = opened(written(folder))
    assert page.locator("img:not([src^='data:'])").count() == 0
    assert page.locator("script").count() == 1
    assert 'alert("1")' in page.locator("#examples").inner_text()


def test_a_live_page_takes_up_what_is_new(opened, made):
    folder = made()
    lines = (folder / "runs.jsonl").read_text().splitlines(keepends=True)
    (folder / "runs.jsonl").write_text("".join(lines[:8]))
    with server(folder, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,))
        thread.start()
        try:
            page = opened(f"http://127.0.0.1:{serving.server_address[1]}/")
            page.evaluate("document.querySelector('#winner details').open = true")
            (folder / "runs.jsonl").write_text("".join(lines))
            page.get_by_text("3 learners, 9 runs").wait_for(timeout=20_000)
            assert page.locator("#winner details").first.evaluate("(fold) => fold.open")
            assert page.locator("#ranking th.sorter").count() > 5
        finally:
            serving.shutdown()
            thread.join()

"""The page in a real browser: headless Chromium, as a system has it (`apt install chromium`), led by Playwright."""

import json
import re
import shutil
import threading
from itertools import pairwise

import pytest
from playwright.sync_api import expect, sync_playwright

from chainrule.playground import PRESETS, Run, Setup, server, service, state_of, write
from chainrule.playground.presets import steps_of

CHROMIUM = next((x for name in ("chromium", "chromium-browser", "google-chrome") if (x := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")
SETUP = Setup(data="xor", hidden=(3, 2), activation="relu", engine="eager")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def address():
    with server(0) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{made.server_address[1]}/"
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("site")
    write(place)
    return (place / "index.html").as_uri()


@pytest.fixture
def opened(browser):
    """Open a page; nothing of it may complain, nor ask for anything from elsewhere."""
    contexts, complaints = [], []

    def call(at, *, expected=(), **settings):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        page = context.new_page()
        own = at.partition("?")[0].partition("#")[0].removesuffix("index.html")

        def complain(text):
            if not any(re.search(pattern, text) for pattern in expected):
                complaints.append(text)

        page.on("console", lambda message: complain(message.text))
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("request", lambda asked: asked.url.startswith((own, "data:")) or complaints.append(asked.url))
        page.goto(at)
        return page

    yield call
    for context in contexts:
        context.close()
    assert complaints == []


def said(page):
    return page.locator("#said").inner_text()


def reached(page, step):
    page.get_by_text(f"step {step:,}", exact=True).wait_for(timeout=30_000)


def trained(setup, step):
    run = Run(setup)
    run.advance(step)
    return state_of(run)


def pictures(page):
    return page.locator("#network .unit image").evaluate_all("found => found.map((x) => x.getAttribute('href'))")


def test_an_address_shows_the_same_picture(opened, address):
    state = trained(SETUP, 40)
    units = [unit[0] for layer in state["units"] for unit in layer]
    for at in (f"{address}?{SETUP.address(step=40)}", f"{address}#{SETUP.address(step=40)}"):
        page = opened(at)
        reached(page, 40)
        assert said(page) == state["said"]
        assert pictures(page) == units
        assert page.locator("#answer").get_attribute("href") == state["answer"]
        assert page.locator("[name=data]").input_value() == "xor"
        assert page.locator("[name=hidden]").nth(1).input_value() == "2"
        assert page.url == f"{address}#{SETUP.address(step=40)}"


def test_it_is_complete_without_scripts(opened, address):
    at = f"{address}?{SETUP.address(step=40, unit='2.1')}"
    with_scripts, without = (opened(at, java_script_enabled=on) for on in (True, False))
    assert said(without) == said(with_scripts)
    assert pictures(without) == pictures(with_scripts)
    assert without.locator("#inner").inner_text() == with_scripts.locator("#inner").inner_text()
    assert (
        without.locator("#seen").inner_text() == with_scripts.locator("#seen").inner_text() == "What unit 2.1 computes"
    )
    assert not without.locator("#play").is_visible()  # no button that does nothing
    for page in (without, with_scripts):
        assert page.locator("svg image").count() == 1 + 2 + 3 + 2 + 1
    without.locator("[name=seed]").fill("9")
    without.locator("[name=step]").fill("20")
    without.get_by_role("button", name="Show").click()
    assert said(without) == trained(Setup.of_address(SETUP.address().replace("seed=0", "seed=9")), 20)["said"]


def test_it_plays_pauses_and_starts_over(opened, address):
    page = opened(f"{address}?{SETUP.address(step=0)}")
    page.get_by_role("button", name="Next").click()
    reached(page, 10)
    assert said(page) == trained(SETUP, 10)["said"]
    page.locator("#pace").select_option("100")
    page.get_by_role("button", name="Play").click()
    assert page.locator("#said").get_attribute("aria-live") == "off"
    # Of 210 or more, as each is shown for a moment alone.
    expect(page.locator("#step")).to_have_text(re.compile(r"^step ([2-9]\d\d|\d+,\d{3})$"), timeout=30_000)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#play")).to_have_text("Play")
    page.wait_for_timeout(500)
    step = int(page.locator("#step").inner_text().removeprefix("step ").replace(",", ""))
    assert said(page) == trained(SETUP, step)["said"]
    assert page.locator("#said").get_attribute("aria-live") == "polite"
    assert f"step={step}" in page.url
    page.get_by_role("button", name="Start over").click()
    reached(page, 0)


def test_a_changed_setting_trains_anew(opened, address):
    page = opened(f"{address}?{SETUP.address(step=30)}")
    page.locator("[name=activation]").select_option("tanh")
    reached(page, 0)
    page.locator("[name=hidden]").nth(1).fill("")
    page.locator("[name=hidden]").nth(1).press("Tab")
    expect(page.locator("#network .unit")).to_have_count(4)
    page.get_by_label("xy", exact=True).check()
    expect(page.locator("#network .input")).to_have_count(3)
    changed = Setup(data="xor", hidden=(3,), activation="tanh", engine="eager", inputs=("x", "y", "xy"))
    assert page.url == f"{address}#{changed.address(step=0)}"
    assert said(page) == trained(changed, 0)["said"]


def test_a_setting_that_cannot_be_is_told(opened, address):
    page = opened(f"{address}?{SETUP.address(step=0)}", expected=["400"])
    page.locator("[name=points]").fill("5")
    page.locator("[name=points]").press("Tab")
    page.get_by_role("alert").filter(has_text="points must be a whole number of 20 or more").wait_for()
    page.locator("[name=points]").fill("50")
    page.locator("[name=points]").press("Tab")
    expect(page.locator("#error")).to_have_text("")
    expect(page.locator("#counts")).to_contain_text("25 training points")


def test_a_unit_is_seen_large_by_a_click_and_by_a_key(opened, address):
    page = opened(f"{address}?{SETUP.address(step=40)}")
    state = trained(SETUP, 40)
    unit = page.locator("[data-unit='1.2']")
    unit.focus()
    page.keyboard.press("Enter")
    assert page.locator("#seen").inner_text() == "What unit 1.2 computes"
    assert page.locator("#answer").get_attribute("href") == state["units"][0][1][0]
    rows = page.locator("#inner tr").all_inner_texts()
    names, numbers = zip(*(row.split("\t") for row in rows), strict=True)
    assert names == ("x", "y", "bias")
    weights = [row[1][0] for row in state["weights"][0]] + state["biases"][0][1]
    assert [float(x) for x in numbers] == pytest.approx(weights, rel=1e-3)
    assert page.url.endswith("&unit=1.2")
    assert page.evaluate("document.activeElement.dataset.unit") == "1.2"
    unit.click()
    assert page.locator("#seen").inner_text() == "How likely orange is"
    assert page.locator("#inner tr").count() == 0


def test_dead_units_are_named(opened, address):
    (preset,) = (preset for preset in PRESETS if preset.name == "dead")
    page = opened(address)
    page.get_by_role("link", name="Dead units").click()
    reached(page, preset.step)
    dead = trained(preset.setup, preset.step)["dead"]
    assert len(dead) > 2
    assert page.locator(".unit.dead").evaluate_all("found => found.map((x) => x.dataset.unit)") == dead
    assert page.locator(".unit.dead .grave").first.is_visible()
    assert not page.locator(".unit:not(.dead) .grave").first.is_visible()
    assert f"units {', '.join(dead)} are flat" in page.locator("#advice").inner_text()
    assert page.locator("#lesson").inner_text() == preset.lesson


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_any_width(opened, address, scheme):
    at = f"{address}?{Setup(hidden=(8, 8, 8, 8), engine='eager').address(step=3, unit='2.2')}"
    page = opened(at, viewport={"width": 320, "height": 800}, color_scheme=scheme)
    for width in (320, 360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(253, 253, 252)" if scheme == "light" else "rgb(23, 24, 26)")


def test_everything_has_a_name(opened, address):
    """Every field, button and link says what it is to those who cannot see it."""
    page = opened(f"{address}?{SETUP.address(step=3)}")
    nameless = page.evaluate("""() => [...document.querySelectorAll("a,button,input,select")].filter((x) =>
        x.type !== "hidden" && !(x.ariaLabel || x.textContent.trim() || x.labels?.length)).map((x) => x.outerHTML)""")
    assert nameless == []
    assert page.locator("h1").count() == 1
    for role in ("main", "navigation", "banner", "alert"):
        assert page.get_by_role(role).count() == 1, role
    roles = page.locator("#network svg").get_attribute("role")
    assert roles == "group"  # an image would hide its links


def test_whoever_wants_little_motion_gets_it(opened, address):
    page = opened(f"{address}?{SETUP.address(step=0)}", reduced_motion="reduce")
    page.evaluate("""() => { window.times = []; new MutationObserver(() => times.push(performance.now())).observe(
        document.getElementById("step"), { childList: true }); }""")
    page.get_by_role("button", name="Play").click()
    reached(page, 30)
    page.get_by_role("button", name="Pause").click()
    times = page.evaluate("times")
    assert len(times) >= 3
    assert min(after - before for before, after in pairwise(times)) > 900


def test_pictures_are_pictures(opened, address):
    """Chromium reads every PNG, with its size."""
    page = opened(f"{address}?{SETUP.address(step=3)}")
    sizes = page.evaluate("""() => Promise.all([...document.querySelectorAll("image")].map(async (x) => {
        const held = new Image(); held.src = x.getAttribute("href"); await held.decode();
        return [held.naturalWidth, held.naturalHeight]; }))""")
    assert sorted(map(tuple, sizes)) == [(24, 24)] * 8 + [(48, 48)]


@pytest.mark.parametrize("name", ["bend", "dead", "three-colours", "hills"])
def test_the_folder_shows_the_same(opened, folder, name):
    (preset,) = (preset for preset in PRESETS if preset.name == name)
    page = opened(folder)
    page.get_by_role("link", name=preset.title, exact=True).click()
    reached(page, preset.step)
    state = trained(preset.setup, preset.step)
    assert said(page) == state["said"]
    assert pictures(page) == [unit[0] for layer in state["units"] for unit in layer]
    assert page.locator("#answer").get_attribute("href") == state["answer"]
    assert page.locator("#setting-seed").inner_text() == str(preset.setup.seed)
    assert page.url.endswith(f"#{name}/{preset.step}")
    before = steps_of(preset)[-2]
    page.locator("#along").press("ArrowLeft")
    reached(page, before)
    assert said(page) == trained(preset.setup, before)["said"]
    page.get_by_role("button", name="Start over").click()
    reached(page, 0)
    page.get_by_role("button", name="Play").click()
    reached(page, preset.step)


def test_an_address_in_the_folder(opened, folder):
    page = opened(f"{folder}#overfitting/75/1.3")
    reached(page, 75)
    assert page.locator("#seen").inner_text() == "What unit 1.3 computes"
    page = opened(f"{folder}#nothing/75")
    page.get_by_role("alert").filter(has_text="there is no example nothing").wait_for()


def test_the_folder_without_scripts(opened, folder):
    page = opened(folder, java_script_enabled=False)
    assert said(page) == trained(PRESETS[0].setup, PRESETS[0].step)["said"]
    assert "shows one state of the first example" in page.locator("noscript").inner_text()
    assert json.loads(page.locator("#start").text_content())["files"]["first"] == PRESETS[0].name


def test_a_training_on_its_way_is_waited_for(opened, address, monkeypatch):
    monkeypatch.setattr(service, "PATIENCE", 0.05)
    page = opened(f"{address}?{SETUP.address(step=0)}")
    page.goto(f"{address}#{SETUP.address(step=200)}")
    reached(page, 200)
    assert said(page) == trained(SETUP, 200)["said"]
    without = opened(f"{address}?{SETUP.address(step=250)}", java_script_enabled=False)
    expect(without.locator("#said")).to_have_text(trained(SETUP, 250)["said"], timeout=30_000)

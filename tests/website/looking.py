"""A page of the site, looked at in a browser as people have it."""

import contextlib
import itertools
import shutil

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM = next((x for name in ("chromium", "chromium-browser", "google-chrome") if (x := shutil.which(name))), None)
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
VIEWS = tuple(itertools.product(SIZES, ("dark", "light")))
#: How grave what axe finds has to be to count.
GRAVE = ("serious", "critical")
#: Style sheets are not asked for once more, nor frames (films, which are pages themselves), which a browser refuses for
#: files.
ASKED = {"resultTypes": ["violations"], "preload": False, "iframes": False}


@contextlib.contextmanager
def chromium():
    """A browser without a window."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@contextlib.contextmanager
def opened(browser, path, size="desktop", scheme="light", **settings):
    """(page, complaints): nothing of the page may complain, nor ask for anything from elsewhere."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, **settings)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on(
        "request", lambda asked: asked.url.startswith(("file:", "data:")) or complaints.append(f"asks: {asked.url}")
    )
    page.on("requestfailed", lambda asked: complaints.append(f"not there: {asked.url}"))
    page.goto(path.resolve().as_uri())
    yield page, complaints
    context.close()


def look(browser, path, views=VIEWS, pictures=None):
    """What is wrong with a page, in each view, as lines; with a folder, a picture of each view is put there."""
    found = []
    for size, scheme in views:
        with opened(browser, path, size, scheme) as (page, complaints):
            page.evaluate("document.querySelectorAll('details').forEach((fold) => fold.open = true)")
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > SIZES[size]["width"]:
                complaints.append(f"{wide} pixels wide")
            for broken in Axe().run(page, options=ASKED).response["violations"]:
                if broken["impact"] in GRAVE:
                    places = "; ".join(f"{node['html'][:120]}" for node in broken["nodes"][:3])
                    complaints.append(f"{broken['id']}: {places}")
            if pictures is not None:
                page.screenshot(path=pictures / f"{path.stem}-{size}-{scheme}.png", full_page=True)
            found += [f"{path.name}, {size}, {scheme}: {line}" for line in complaints]
    return found

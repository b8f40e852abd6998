"""Pages of the site in a real browser: as a phone in the dark and a desk by day show them, by key, without scripts."""

import pytest

from tests.website.looking import CHROMIUM, look, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt install chromium")
#: A page of each kind; `make look` looks at all of them.
PAGES = ["index", "course/map", "course/09_chain_rule", "reference/errors"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_it_should_be(site, browser, name):
    assert look(browser, site / f"{name}.html", views=[("phone", "dark"), ("desktop", "light")]) == []


def test_everything_is_there_without_scripts(site, browser):
    with opened(browser, site / "course" / "09_chain_rule.html", "phone", java_script_enabled=False) as (page, found):
        assert page.locator("article math").first.is_visible()
        assert page.locator("article .picture svg").first.is_visible()
        answer = page.locator("details:has(summary:text('Answer'))").last
        answer.locator("summary").click()
        assert answer.locator("p").first.is_visible()
        assert found == []


def test_keys_lead_everywhere(site, browser):
    with opened(browser, site / "course" / "09_chain_rule.html", "phone") as (page, found):
        drawer = page.locator(".sidebar-drawer")
        assert drawer.bounding_box()["x"] < 0
        page.keyboard.press("Tab")
        page.keyboard.press("Space")  # the first stop opens the list of pages
        page.wait_for_function("document.querySelector('.sidebar-drawer').getBoundingClientRect().left >= 0")
        page.keyboard.press("Space")
        reached = set()
        for _ in range(200):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.closest('details, .cell_input, a')?.className ?? ''"))
        assert any("skip-to-content" in x for x in reached)
        assert page.evaluate("document.querySelectorAll('article summary').length") > 0
        page.locator("article summary").last.focus()
        page.keyboard.press("Enter")
        assert page.locator("article details").last.get_attribute("open") is not None
        assert found == []

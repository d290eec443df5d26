"""Every page, in both themes, on a desk and in the hand: accessible, no wider than the screen, quiet.

That no page is refused anything by its content security policy, throws an error or calls another address is seen to
in the `visit` fixture, for these as for all tests.
"""

from __future__ import annotations

from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import Enter, Visit
from tests.browser.states import STATES, House
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser
Theme = Literal["light", "dark"]
LOOKS: list[tuple[Theme, int]] = [("light", 1440), ("dark", 1440), ("dark", 390), ("light", 390)]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
# Of all rules only this one looks at colours; the others are checked once for each width.
COLOURS = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}

# What can be seen but lies past the right edge, unless it is in something that scrolls by itself.
SPILLS = """() => {
  const scrolls = (at) => at && (/auto|scroll/.test(getComputedStyle(at).overflowX) || scrolls(at.parentElement));
  const seen = { visibilityProperty: true, opacityProperty: true };
  return [...document.querySelectorAll("body *")]
    .filter((at) => at.checkVisibility(seen) && at.getBoundingClientRect().right > innerWidth + 1)
    .filter((at) => !at.closest("svg svg, .arches, .vh") && !scrolls(at.parentElement))
    .map((at) => at.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize("name", STATES)
def test_a_page_is_accessible_and_fits(
    name: str, visit: Visit, enter: Enter, lively: PortalProcess, strict: PortalProcess
) -> None:
    page = STATES[name](House(visit, enter, lively, strict)).page
    axe = Axe()
    page.evaluate(axe.axe_script)
    found: list[str] = []
    checked: set[int] = set()
    for theme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        rules = COLOURS if width in checked else AXE
        found += [f"{theme} {width}: {what}" for what in [*_violations(page, rules), *_spills(page)]]
        checked.add(width)
    assert found == []
    assert page.locator("h1:visible").count() == 1


def _violations(page: Page, rules: dict[str, Any]) -> list[str]:
    violations = page.evaluate("async rules => (await axe.run(rules)).violations", rules)
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
    ]


def _spills(page: Page) -> list[str]:
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    wide = [f"the page is {width[0]} px wide"] if width[0] > width[1] else []
    return wide + [f"spills over: {element}" for element in page.evaluate(SPILLS)]

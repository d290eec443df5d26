"""Look at a page in both themes, on a desk and in the hand: is it accessible, and no wider than the screen?"""

from __future__ import annotations

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

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


def find_faults(page: Page) -> list[str]:
    """Return what is wrong with the page as it stands, in words; it is left light and narrow."""
    page.evaluate(Axe().axe_script)
    found = [] if page.locator("h1:visible").count() == 1 else ["not exactly one heading of level 1"]
    checked: set[int] = set()
    for theme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        rules = COLOURS if width in checked else AXE
        found += [f"{theme} {width}: {what}" for what in [*_violations(page, rules), *_spills(page)]]
        checked.add(width)
    return found


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

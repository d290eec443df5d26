"""Every page, in both themes, on a desk and in the hand: accessible, no wider than the screen, quiet.

That no page is refused anything by its content security policy, throws an error or calls another address is seen to
in the `visit` fixture, for these as for all tests.
"""

from __future__ import annotations

import pytest

from tests.browser.conftest import Enter, Visit
from tests.browser.looks import find_faults
from tests.browser.states import STATES, House
from tests.portal import PortalProcess

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", STATES)
def test_a_page_is_accessible_and_fits(name: str, visit: Visit, enter: Enter, lively: PortalProcess) -> None:
    assert find_faults(STATES[name](House(visit, enter, lively)).page) == []

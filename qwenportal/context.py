"""Give every page what its frame shows."""

from __future__ import annotations

import platform
from typing import Any

from django.http import HttpRequest

from qwenportal import __version__

THEMES = ("auto", "light", "dark")


def portal(request: HttpRequest) -> dict[str, Any]:
    """Return the frame's values; an unknown theme in the cookie means the system's."""
    theme = request.COOKIES.get("theme", "auto")
    return {
        "portal_version": __version__,
        "node_name": platform.node(),
        "theme": theme if theme in THEMES else "auto",
    }

"""Read the portal's settings, as `manage.py` does: the screen of answers belongs to the portal."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qwenportal.settings")
django.setup()
IS_READY = True

#!/usr/bin/env python
"""Run the portal's commands."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.umask(0o077)  # what the portal writes is its own account's business
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qwenportal.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))

"""The composition root: settings, addresses, the server and the commands that set it up."""

from common.version import VERSION

__version__ = VERSION

"""The composition root: settings, addresses, the server and the commands that set it up."""

__version__ = "0.1.0"

"""Say which version of the portal this is."""

VERSION = "0.1.0"

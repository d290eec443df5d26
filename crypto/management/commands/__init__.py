"""Package of this app's management commands."""

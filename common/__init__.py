"""Errors, settings, the clock and template tags: what every floor may use."""

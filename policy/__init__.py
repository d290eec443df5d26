"""Decide what may be asked and what may be answered, before anybody sees it."""

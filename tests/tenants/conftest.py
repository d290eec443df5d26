"""Asynchronous code works in another thread, on a connection of its own: such tests commit, and flush afterwards."""

from __future__ import annotations

from tests.flushing import lift_guards_while_flushing

lift_guards_while_flushing()

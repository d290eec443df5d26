"""Name the permission that the audit log asks for."""

from __future__ import annotations

READ = "audit.read"

"""Screens for administrators, security officers and operators; they own no data."""

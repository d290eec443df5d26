"""Notices that people read, and the record of what they agreed to."""

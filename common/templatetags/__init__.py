"""Hold the portal's template tags."""

"""The console: who sees what, and who may do what."""

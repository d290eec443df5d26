"""Measure the portal against the engine called directly; see docs/benchmarks.md."""

"""Tests of what the benchmarks reckon. They measure nothing."""

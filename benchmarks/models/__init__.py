"""Make models to measure with; none of them answers anything sensible."""

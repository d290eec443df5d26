"""Prove what the pool, its worker process and its engines promise."""

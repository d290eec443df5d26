"""The walls: who may reach what, in one table, and everything that is tried to get past it."""

"""Recipes for what is learned from the corpora; nothing here runs in the portal."""

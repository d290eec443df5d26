"""The pages' markup, words and scripts."""

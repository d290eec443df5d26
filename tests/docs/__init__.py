"""Documents: what they say is there, and what is there they say."""

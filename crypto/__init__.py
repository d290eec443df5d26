"""Data keys, envelopes, key providers and sealed fields: the store is unreadable without its keys."""

"""The trace without words: append-only events, one hash chain per tenant, for auditors to read and verify."""

"""Answer prompts with a language model that runs in a child process without network.

`inference.pool` is the way in; `inference.engine` holds the types. No Django anywhere in this package: the
child imports it, and a small child starts fast and holds no secret.
"""

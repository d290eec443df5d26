"""Be a worker that makes threads without end, as an ordinary user: `-m tests.inference.crowding {}` prints how many."""

from __future__ import annotations

import json
import os
import threading

from inference.cage.cage import Cage
from tests.inference.lacking import become_nobody

ENOUGH = 3000
STACK_BYTES = 32 << 10


def crowd() -> int:
    """Return how many threads could be made."""
    threading.stack_size(STACK_BYTES)
    end = threading.Event()
    for made in range(ENOUGH):
        try:
            threading.Thread(target=end.wait, daemon=True).start()
        except RuntimeError:
            return made
    return ENOUGH


def main() -> None:
    become_nobody()
    Cage().separate()
    os.write(1, json.dumps({"threads": crowd(), "uid": os.getuid()}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()

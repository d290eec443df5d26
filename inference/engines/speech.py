"""Turn the bytes of one token after the other into whole characters, and end an answer at a stop text.

For engines whose library gives tokens and leaves the rest to its caller.
"""

from __future__ import annotations

import codecs

from inference.engine import Sink


class Speech:
    """Gather what a model says.

    What may still become a stop text is held back; a character whose bytes are not all there yet waits for them, and
    bytes that are no UTF-8 become U+FFFD.
    """

    def __init__(self, sink: Sink, stops: tuple[str, ...]) -> None:
        self._sink = sink
        self._stops = stops
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.has_stopped = False

    def say(self, piece: bytes) -> bool:
        """Take the bytes of a token. Return True where a stop text ends the answer: it and what follows stay unsaid."""
        self._held += self._decoder.decode(piece)
        ends = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if ends:
            self._held, self.has_stopped = self._held[: min(ends)], True
        self._release(len(self._held) if ends else len(self._held) - self._risky())
        return self.has_stopped

    def finish(self) -> None:
        """Say what was held back, unless a stop text ended the answer. Half a character at the very end is left out."""
        if not self.has_stopped:
            self._release(len(self._held))

    def _risky(self) -> int:
        """Return how many of the last characters may be the beginning of a stop text."""
        longest = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._held)), longest, -1):
                if self._held.endswith(stop[:length]):
                    longest = length
                    break
        return longest

    def _release(self, count: int) -> None:
        if count > 0:
            self._sink.text(self._held[:count])
            self._held = self._held[count:]

"""Read digits that are written as Chinese numerals, or that marks stand between (一三八…, **138**1234…). Pure."""

from __future__ import annotations

import re

from policy.normalise import CONTEXT_LETTERS, Normalised, Places

_NUMERALS = "〇零○一幺壹二贰三叁四肆五伍六陆七柒八捌九玖"
_VALUES = str.maketrans(_NUMERALS, "00011122334455667788" + "99")
# Marks of Markdown, bullets and pictures: what stands between digits in no number that anybody writes in earnest.
MARKS = r"*_~`|\\·•‧・●■★☆\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
# As many as the context of a stream shows, with the digit before them.
_GAP = re.compile(rf"(?<=[0-9])[{MARKS}]{{1,{CONTEXT_LETTERS - 1}}}(?=[ -]?(?:[0-9x]|\Z))")
_TELLING = re.compile(rf"[{_NUMERALS}]|[0-9][{MARKS}]")


class Numerals(Normalised):
    """The letters of a text once more, with digits for numerals and without the marks between digits."""

    def __init__(self, seen: Normalised) -> None:
        digits = seen.letters.translate(_VALUES)
        places, parts = Places(), []
        at = length = 0
        for gap in _GAP.finditer(digits):
            places.add(length, at)
            parts.append(digits[at : gap.start()])
            length += gap.start() - at
            at = gap.end()
        places.add(length, at)
        parts.append(digits[at:])
        super().__init__("".join(parts), places)
        self._seen = seen
        self.context = sum(self.letter_behind(place) < seen.context for place in range(seen.context))

    def letter_behind(self, at: int) -> int:
        """Return which letter of the text digit `at` is; behind the last one, the length of the letters."""
        return self._places.back(at) if at < len(self.letters) else len(self._seen.letters)

    def place(self, at: int) -> int:
        """Return the character of the original that digit `at` came from."""
        return self._seen.place(self.letter_behind(at))


def read_numerals(seen: Normalised) -> Numerals | None:
    """Return the reading, None where it would be the letters themselves."""
    return Numerals(seen) if _TELLING.search(seen.letters) else None

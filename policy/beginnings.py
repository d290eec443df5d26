"""Derive, from a rule's pattern, a pattern for whatever may be the beginning of a match.

A stream must hold back the end of a text for as long as it may become a match. Were that left to whoever writes a rule,
one mistake would show the beginning of a secret; so it is computed.
"""

from __future__ import annotations

import re

# The lexical parts of RE2's syntax (https://github.com/google/re2/wiki/Syntax), the longest first.
_TOKEN = re.compile(
    r"""
    (?P<group>  \( (?: \? (?: P?< | [imsU-]*: | [imsU-]+\) ) )? | [)|] )
  | (?P<repeat> (?: [*+?] | \{\d+ (?:,\d*)? \} ) \?? )
  | (?P<atom>   \\ (?: [pP] (?: \{[^}]*\} | . ) | x (?: \{[0-9a-fA-F]+\} | [0-9a-fA-F]{2} ) | [0-7]{1,3} | . )
              | \[ \^? \]? (?: \[:\^?\w+:\] | \\. | [^\]\\] )* \]
              | . )
    """,
    re.VERBOSE | re.DOTALL,
)
# \Q quotes what follows, \C splits characters: neither can be taken apart by tokens.
_REFUSED_ESCAPES = frozenset({r"\Q", r"\E", r"\C"})


def beginnings_of(pattern: str) -> str:
    r"""Return a pattern that, before `\z`, matches every beginning of a match and every match itself.

    Each part of the pattern may be cut short by the end of the text: X becomes `(?:X|\z)`. What can match at the end
    of the text is then exactly what more text could make, or keep, a match. Raises ValueError for a repeat without an
    upper bound, which would hold a stream back for ever, and for what cannot be taken apart or joined with others.
    """
    parts = []
    for token in _TOKEN.finditer(pattern):
        text = token.group()
        if token["repeat"] and (text[0] in "*+" or ",}" in text):
            raise ValueError(f"the repeat {text} has no upper bound; write {{0,100}}, for example")
        if text in _REFUSED_ESCAPES:
            raise ValueError(f"{text} is not supported")
        if text.startswith(("(?P", "(?<")):
            raise ValueError("groups have no names here")
        parts.append(rf"(?:{text}|\z)" if token["atom"] else text)
    return "".join(parts)

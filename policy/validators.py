"""Tell real numbers from rows of digits, so that rules hit what they mean."""

from __future__ import annotations

from collections.abc import Callable

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10x98765432"


def is_resident_id(text: str) -> bool:
    """Return whether 18 characters are a Chinese resident identity number (GB 11643-1999, ISO 7064 MOD 11-2)."""
    number = _strip(text)
    if len(number) != 18 or not _is_digits(number[:17]):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _ID_WEIGHTS, strict=True))
    return _ID_CHECKS[total % 11] == number[17]


def is_card_number(text: str) -> bool:
    """Return whether 13 to 19 digits are a payment card number (ISO/IEC 7812-1, Luhn)."""
    number = _strip(text)
    if not _is_digits(number) or not 13 <= len(number) <= 19:
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + doubled) % 10 == 0


def _is_digits(text: str) -> bool:
    """Return whether all are 0 to 9; Unicode has digits that no number can be made of."""
    return text.isascii() and text.isdigit()


def _strip(text: str) -> str:
    return text.replace(" ", "").replace("-", "").lower()


VALIDATORS: dict[str, Callable[[str], bool]] = {
    "any": lambda _text: True,
    "resident_id": is_resident_id,
    "card_number": is_card_number,
}

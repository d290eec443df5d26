"""Tell real numbers from rows of digits, so that rules hit what they mean."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import date

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10x98765432"
_CREDIT_LETTERS = "0123456789abcdefghjklmnpqrtuwxy"
_NO_INSURANCE = frozenset({"bg", "gb", "kn", "nk", "nt", "tn", "zz"})
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def is_resident_id(text: str) -> bool:
    """Return whether 18 characters are a Chinese resident identity number (GB 11643-1999, ISO 7064 MOD 11-2)."""
    number = _strip(text)
    if len(number) != 18 or not _is_digits(number[:17]) or not _is_date(number[6:14]):
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


def is_credit_code(text: str) -> bool:
    """Return whether 18 characters are a unified social credit code (GB 32100-2015, ISO 7064 MOD 31-3).

    The organisation code in it (characters 9 to 17, GB 11714) has a check digit of its own; both have to be right, so
    that one in some 300 of other 18-digit numbers passes, and hardly any resident identity number.
    """
    code = _strip(text)
    if len(code) != 18 or not all(letter in _CREDIT_LETTERS for letter in code):
        return False
    if not _is_organisation_code(code[8:17]):
        return False
    total = sum(_CREDIT_LETTERS.index(letter) * pow(3, at, 31) for at, letter in enumerate(code[:17]))
    return _CREDIT_LETTERS[-total % 31] == code[17]


def is_iban(text: str) -> bool:
    """Return whether this is an international bank account number (ISO 13616, ISO 7064 MOD 97-10)."""
    number = _strip(text)
    if not 15 <= len(number) <= 34 or not number.isascii() or not number.isalnum():
        return False
    turned = number[4:] + number[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def is_social_security_number(text: str) -> bool:
    """Return whether nine digits may be a US social security number: some areas and all-zero parts are never given."""
    number = _strip(text)
    if len(number) != 9 or not _is_digits(number):
        return False
    area, group, serial = number[:3], number[3:5], number[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def is_national_insurance_number(text: str) -> bool:
    """Return whether this may be a UK National Insurance number: some prefixes are never given (HMRC, NIM39110)."""
    number = _strip(text)
    if len(number) != 9 or not number.isascii() or not number[:2].isalpha() or not _is_digits(number[2:8]):
        return False
    return number[:2] not in _NO_INSURANCE and number[8] in "abcd"


def is_nhs_number(text: str) -> bool:
    """Return whether the ten digits at the end are a number of the UK's National Health Service (modulus 11)."""
    number = _strip(text)[-10:]
    if len(number) != 10 or not _is_digits(number):
        return False
    total = sum(int(digit) * (10 - at) for at, digit in enumerate(number[:9]))
    return -total % 11 == int(number[9])


def is_ip_address(text: str) -> bool:
    """Return whether this is an address of IPv4 or IPv6 that names a machine: not 0.0.0.0, ::, or loopback."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback)


def _is_organisation_code(code: str) -> bool:
    total = sum(
        int(letter, 36) * weight for letter, weight in zip(code[:8], _ORGANISATION_WEIGHTS, strict=True)
    )
    return "0x987654321"[total % 11] == code[8]


def _is_date(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _is_digits(text: str) -> bool:
    """Return whether all are 0 to 9; Unicode has digits that no number can be made of."""
    return text.isascii() and text.isdigit()


def _strip(text: str) -> str:
    return text.replace(" ", "").replace("-", "").lower()


VALIDATORS: dict[str, Callable[[str], bool]] = {
    "any": lambda _text: True,
    "resident_id": is_resident_id,
    "card_number": is_card_number,
    "credit_code": is_credit_code,
    "iban": is_iban,
    "social_security_number": is_social_security_number,
    "national_insurance_number": is_national_insurance_number,
    "nhs_number": is_nhs_number,
    "ip_address": is_ip_address,
}

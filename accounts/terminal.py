"""Let people act at the terminal in their own name, through the same door as in the browser."""

from __future__ import annotations

import getpass
import os
import warnings
from argparse import ArgumentParser

from allauth.account.adapter import get_adapter
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.db import SessionStore
from django.core.management.base import CommandError
from django.http import HttpRequest, QueryDict

from accounts.errors import SignInRefused
from accounts.models import HANDLE_SEPARATOR, User

HERE = "127.0.0.1"


def authenticate_person(handle: str, *, password: str) -> User:
    """Return the account `organisation/login`, or `login` for operators, if the password is right.

    Failures count for the lockout and stand in the audit log, as does the sign-in. Raises SignInRefused, which does
    not say whether there is such an account, or whether it is locked.
    """
    request = _form(handle)
    user = get_adapter().authenticate(request, username=handle.strip().casefold(), password=password)
    if not isinstance(user, User):
        raise SignInRefused
    user_logged_in.send(sender=User, request=request, user=user)
    return user


def add_person_argument(parser: ArgumentParser) -> None:
    """Let a command ask who acts."""
    parser.add_argument(
        "--as",
        dest="person",
        required=True,
        metavar="LOGIN",
        help="who acts: `organisation/login`, or `login` of an operator;"
        " the password is asked for, or comes from ACCOUNT_PASSWORD",
    )


def ask_person(handle: str) -> User:
    """Return who acts, by the password in ACCOUNT_PASSWORD or from the keyboard.

    Raises SignInRefused, and CommandError where there is neither.
    """
    password = os.environ.get("ACCOUNT_PASSWORD", "") or _type_password(handle)
    return authenticate_person(handle, password=password)


def _type_password(handle: str) -> str:
    try:
        with warnings.catch_warnings():
            # A password that would be shown while it is typed is not asked for.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(f"Password of {handle}: ")
    except (EOFError, getpass.GetPassWarning) as error:
        raise CommandError(
            "There is no terminal on which to ask for the password: set ACCOUNT_PASSWORD."
        ) from error


def _form(handle: str) -> HttpRequest:
    """Return the sign-in form as a browser sends it: the lockout reads the name there before it lets anybody on."""
    organisation, separator, login = handle.rpartition(HANDLE_SEPARATOR)
    fields = QueryDict(mutable=True)
    fields["organisation"], fields["login"] = organisation if separator else "", login
    request = HttpRequest()
    request.method, request.POST = "POST", fields  # type: ignore[assignment]
    request.session = SessionStore()  # never saved: who hears of the sign-in may look for one
    request.META |= {"REMOTE_ADDR": HERE, "SERVER_NAME": "localhost", "SERVER_PORT": "0"}
    return request

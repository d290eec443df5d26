"""Register the system parameters: what people may set while the portal runs, within which bounds, and who may.

`docs/settings.md` documents each; one that is missing there fails the test suite. A parameter stands here only if
something reads it. What an organisation has not set is what the installation's settings say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.config import PortalSettings

# ASCII digits only: int() would also read those of other scripts, and underscores between them.
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
TEN_YEARS = 3650


class Scope(StrEnum):
    """For whom a value holds."""

    TENANT = "tenant"
    INSTALLATION = "installation"


class Keeper(StrEnum):
    """Who sets it: the organisation's administrators, or the operators of the installation."""

    ADMIN = "admin"
    OPERATOR = "operator"


class Section(StrEnum):
    """Where it stands on the page."""

    LIMITS = "limits"
    SIGN_IN = "sign_in"
    COMPLIANCE = "compliance"
    QUOTA = "quota"
    LIFE = "life"


class Persistence(StrEnum):
    """What becomes of conversations."""

    SAVE = "save"
    TEMPORARY = "temporary"
    NEVER = "never"


class YesNo(StrEnum):
    """Whether something holds."""

    NO = "no"
    YES = "yes"


class IpLogging(StrEnum):
    """What the audit log keeps of network addresses."""

    MASKED = "masked"
    NONE = "none"


class ApiTokens(StrEnum):
    """Whether people may use API tokens."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter; `needs_second` where a second person must approve each change."""

    code: str
    label: str | Promise
    hint: str | Promise
    section: Section
    scope: Scope = Scope.TENANT
    keeper: Keeper = Keeper.ADMIN
    needs_second: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Parameter):
    """A whole number from `low` to `high`, both included; `unit` is a word. `zero` says what 0 means, where it is
    allowed and means something of its own."""

    default: Callable[[PortalSettings], int]
    high: Callable[[PortalSettings], int]
    low: int | Callable[[PortalSettings], int] = 1
    unit: str | Promise = ""
    zero: str | Promise = ""

    @property
    def bounds(self) -> tuple[int, int]:
        """Return the least and the greatest value that this installation allows."""
        high = self.high(settings.PORTAL)
        low = self.low(settings.PORTAL) if callable(self.low) else self.low
        return min(low, high), high

    def initial(self) -> str:
        """Return what holds where nobody has set it."""
        return self.clamp(str(self.default(settings.PORTAL)))

    def parse(self, text: str) -> str:
        """Return the value as it is stored. Raises ValidationError, which says what would be right."""
        low, high = self.bounds
        if not _NUMBER.fullmatch(text.strip()) or not low <= int(text) <= high:
            said = gettext("A whole number from %(low)s to %(high)s, please.")
            raise ValidationError(said % {"low": f"{low:,}", "high": f"{high:,}"})
        return str(int(text))

    def clamp(self, text: str) -> str:
        """Return a stored value within the bounds of today, which the installation may have narrowed since."""
        low, high = self.bounds
        return str(min(high, max(low, int(text))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Parameter):
    """One of several values; the first one holds where nobody has chosen."""

    options: tuple[tuple[str, str | Promise], ...]

    def initial(self) -> str:
        """Return what holds where nobody has set it."""
        return self.options[0][0]

    def parse(self, text: str) -> str:
        """Return the value as it is stored. Raises ValidationError."""
        if text not in dict(self.options):
            raise ValidationError(gettext("Please choose one of the values."))
        return text

    def clamp(self, text: str) -> str:
        """Return a stored value, or the first where it exists no longer."""
        return text if text in dict(self.options) else self.initial()


AnyParameter = Number | Choice


def _quota(code: str, *, label: str | Promise, hint: str | Promise, unit: str | Promise, high: int) -> Number:
    return Number(
        code=code,
        label=label,
        hint=hint,
        section=Section.QUOTA,
        keeper=Keeper.OPERATOR,
        default=lambda _portal: 0,
        low=0,
        high=lambda _portal: high,
        unit=unit,
        zero=_("no limit"),
    )


def _second_factor(role: str, *, label: str | Promise) -> Choice:
    return Choice(
        code=f"second_factor_{role}",
        label=label,
        hint=_("Who has none is led to add one, and can do nothing else before"),
        section=Section.SIGN_IN,
        options=((YesNo.NO, _("Not needed")), (YesNo.YES, _("Needed"))),
    )


PARAMETERS: tuple[AnyParameter, ...] = (
    Number(
        code="running_per_person",
        label=_("Answers at once"),
        hint=_("How many answers one person may have written at the same time"),
        section=Section.LIMITS,
        default=lambda portal: portal.running_per_person,
        high=lambda portal: max(4, portal.running_per_person),
    ),
    Number(
        code="rate_per_minute",
        label=_("Questions per minute"),
        hint=_("Of one person; who asks more is told when to try again"),
        section=Section.LIMITS,
        default=lambda portal: portal.rate_per_minute,
        high=lambda portal: max(60, portal.rate_per_minute),
        unit=_("per minute"),
    ),
    Number(
        code="max_prompt_chars",
        label=_("Length of a question"),
        hint=_("A longer one is refused before anybody reads it"),
        section=Section.LIMITS,
        default=lambda portal: portal.max_prompt_chars,
        low=100,
        high=lambda portal: portal.max_prompt_chars,
        unit=_("characters"),
    ),
    Number(
        code="max_new_tokens",
        label=_("Length of an answer"),
        hint=_("A longer one is cut here, and says so"),
        section=Section.LIMITS,
        default=lambda portal: portal.max_new_tokens,
        low=16,
        high=lambda portal: portal.max_new_tokens,
        unit=_("tokens"),
    ),
    Number(
        code="password_length",
        label=_("Length of a password"),
        hint=_("Holds for passwords that are chosen from now on"),
        section=Section.SIGN_IN,
        default=lambda portal: portal.password_length,
        low=lambda portal: portal.password_length,
        high=lambda _portal: 64,
        unit=_("characters"),
    ),
    Number(
        code="idle_minutes",
        label=_("Signed out when idle"),
        hint=_("After so long without a page or a question"),
        section=Section.SIGN_IN,
        default=lambda portal: portal.idle_minutes,
        high=lambda portal: portal.idle_minutes,
        unit=_("minutes"),
    ),
    Number(
        code="session_hours",
        label=_("Signed out in any case"),
        hint=_("So long after signing in"),
        section=Section.SIGN_IN,
        default=lambda portal: portal.session_hours,
        high=lambda portal: portal.session_hours,
        unit=_("hours"),
    ),
    Number(
        code="sessions_per_person",
        label=_("Sessions of one person"),
        hint=_("Whoever signs in once more loses the oldest one"),
        section=Section.SIGN_IN,
        default=lambda portal: portal.sessions_per_person,
        high=lambda portal: portal.sessions_per_person,
    ),
    _second_factor("member", label=_("Second factor of members")),
    _second_factor("admin", label=_("Second factor of administrators")),
    _second_factor("officer", label=_("Second factor of security officers")),
    _second_factor("auditor", label=_("Second factor of auditors")),
    Choice(
        code="second_factor_after_sso",
        label=_("Second factor after the organisation's own sign-in"),
        hint=_("For people who come by an identity provider, which may have asked for one itself"),
        section=Section.SIGN_IN,
        options=((YesNo.NO, _("Not needed")), (YesNo.YES, _("Needed"))),
    ),
    Number(
        code="retention_days",
        label=_("Keeping time of conversations"),
        hint=_("Where nothing was said for longer, the conversation is deleted for good"),
        section=Section.COMPLIANCE,
        needs_second=True,
        default=lambda _portal: 0,
        low=0,
        high=lambda _portal: TEN_YEARS,
        unit=_("days"),
        zero=_("until the person deletes it"),
    ),
    Choice(
        code="persistence",
        label=_("Keeping conversations"),
        hint=_("Holds for new conversations; what is kept already stays until its person deletes it"),
        section=Section.COMPLIANCE,
        needs_second=True,
        options=(
            (Persistence.SAVE, _("Kept, unless the person asks for a temporary chat")),
            (Persistence.TEMPORARY, _("Temporary, unless the person asks to keep it")),
            (Persistence.NEVER, _("Never kept")),
        ),
    ),
    Choice(
        code="ip_logging",
        label=_("Network addresses in the audit log"),
        hint=_("There is no choice of logging them in full"),
        section=Section.COMPLIANCE,
        needs_second=True,
        options=(
            (IpLogging.MASKED, _("Masked: IPv4 without its last part, IPv6 as its /48")),
            (IpLogging.NONE, _("Not logged")),
        ),
    ),
    Number(
        code="consent_days",
        label=_("Validity of consent"),
        hint=_("After so many days everybody is asked again, even if the notice is the same"),
        section=Section.COMPLIANCE,
        needs_second=True,
        default=lambda _portal: 0,
        low=0,
        high=lambda _portal: TEN_YEARS,
        unit=_("days"),
        zero=_("until the next version"),
    ),
    Choice(
        code="api_tokens",
        label=_("API tokens"),
        hint=_("Where they are forbidden, those that exist are refused at once"),
        section=Section.LIMITS,
        options=((ApiTokens.ALLOWED, _("Allowed")), (ApiTokens.FORBIDDEN, _("Forbidden"))),
    ),
    _quota(
        "quota_accounts",
        label=_("Active accounts"),
        hint=_("One more cannot be made, enabled, or received from an identity provider"),
        unit=_("accounts"),
        high=1_000_000,
    ),
    _quota(
        "quota_turns_per_day",
        label=_("Questions per day"),
        hint=_("Of all people together, by the days of the portal’s time zone"),
        unit=_("per day"),
        high=10_000_000,
    ),
    _quota(
        "quota_tokens_per_day",
        label=_("Tokens per day"),
        hint=_("Of questions and answers; answers that run when they are used up go on to their end"),
        unit=_("per day"),
        high=2_000_000_000,
    ),
    _quota(
        "quota_running",
        label=_("Answers at once, of all people"),
        hint=_("Running and waiting ones together"),
        unit="",
        high=1000,
    ),
    Number(
        code="deletion_days",
        label=_("Waiting period before an organisation is deleted"),
        hint=_("So long a deletion can be taken back; holds for deletions that are asked for from now on"),
        section=Section.LIFE,
        scope=Scope.INSTALLATION,
        keeper=Keeper.OPERATOR,
        needs_second=True,
        default=lambda _portal: 7,
        high=lambda _portal: 90,
        unit=_("days"),
    ),
)
BY_CODE: dict[str, AnyParameter] = {parameter.code: parameter for parameter in PARAMETERS}


def parameters_of(*, scope: Scope, keeper: Keeper) -> list[AnyParameter]:
    """Return the parameters of a page, in their order."""
    return [each for each in PARAMETERS if each.scope == scope and each.keeper == keeper]

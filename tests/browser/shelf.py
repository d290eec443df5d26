"""Put artefacts of every kind on a portal's shelf; run inside that portal by `manage.py shell`."""

from __future__ import annotations

from accounts.models import User
from registry import services
from tests.console import support


def fill() -> None:
    """Import five artefacts: one in use, one before it, one retired, one submitted with a miss, one only evaluated."""
    second = User.objects.get(handle="operator")
    first = support.second_operator()
    for revision in (2, 3):
        support.activate(revision, by=first, second=second)
    old = support.import_artifact(1, quantisation="Q4_0", signature_key="82f3e9c695dc6b8d")
    services.retire(old, by=first, reason="the signing key was revoked")
    support.submit(4, by=first, first_token_p95_ms=5300.0)
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    draft = support.import_artifact(
        5, chat_template=template, template_warnings=["it reads tools, which the portal never gives"]
    )
    support.evaluate(draft, by=first, injection_rate=71.0)

"""Count, for the navigation, what waits for the person who looks."""

from __future__ import annotations

from django import template

from accounts.models import User
from accounts.parameters import count_waiting
from console.approvals import waiting_for
from console.viewers import Viewer

register = template.Library()


@register.simple_tag
def models_waiting(account: User) -> int:
    """Return how many artefacts wait for this person's signature; one who may not sign costs no query."""
    return len(waiting_for(Viewer.of(account)))


@register.simple_tag
def parameters_waiting(account: User) -> int:
    """Return how many changes of parameters wait for this person; one who may not approve costs no query."""
    return count_waiting(account)

"""A question beyond a daily quota is refused, and one that never ran costs none."""

from __future__ import annotations

import pytest
from django.db import transaction

from chat.quotas import DailyQuota, QuotaReached, TokensUsedUp, count_tokens, give_back, take_turn
from tenants.models import QuotaUse
from tenants.scope import tenant_scope
from tests.conftest import Cast
from tests.tenants.support import tenant_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_turns_are_counted_to_the_quota_and_those_that_never_ran_are_given_back(cast: Cast) -> None:
    tenant_id, quota = tenant_of(cast.member), DailyQuota(turns=2)
    with tenant_scope(tenant_id), transaction.atomic():
        first = take_turn(tenant_id, quota)
        take_turn(tenant_id, quota)
        with pytest.raises(QuotaReached):
            take_turn(tenant_id, quota)
        give_back(first)
        take_turn(tenant_id, quota)


def test_tokens_are_counted_and_then_nobody_begins(cast: Cast) -> None:
    tenant_id, quota = tenant_of(cast.member), DailyQuota(tokens=10)
    with tenant_scope(tenant_id), transaction.atomic():
        count_tokens(take_turn(tenant_id, quota), 11)
        with pytest.raises(TokensUsedUp):
            take_turn(tenant_id, quota)


def test_without_a_quota_nothing_is_counted(cast: Cast) -> None:
    with tenant_scope(tenant_of(cast.member)):
        assert take_turn(tenant_of(cast.member), DailyQuota()) is None
        assert not QuotaUse.objects.exists()


def test_another_organisation_counts_for_itself(cast: Cast) -> None:
    for tenant_id in (tenant_of(cast.member), tenant_of(cast.outsider)):
        with tenant_scope(tenant_id), transaction.atomic():
            take_turn(tenant_id, DailyQuota(turns=1))

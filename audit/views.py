"""Show the audit log to auditors: a list, one event, and the chain's verification. Reading is recorded, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from audit.forms import FilterForm
from audit.models import AuditEvent, Outcome
from audit.permissions import READ
from audit.queries import EventPage, find_event, find_events
from audit.rows import event_row
from audit.services import record_event
from audit.verification import Verification, chain_length, latest_verification, verify_chain
from common.access import require_permission
from common.client import client_ip
from common.errors import NotFound

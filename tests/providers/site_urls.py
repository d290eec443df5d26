"""Route the providers, and a door through which tests arrange them."""

from __future__ import annotations

import json
from typing import Any

from allauth.idp.oidc.models import Client
from django.contrib.auth import logout
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.utils.html import format_html, format_html_join
from django.views.decorators.csrf import csrf_exempt

from tests.providers import site_people


@csrf_exempt
def arrange(request: HttpRequest) -> JsonResponse:
    """Set people, clients and twists; sign a token on demand."""
    wanted = json.loads(request.body)
    for name, person in wanted.get("people", {}).items():
        put_person(name, person)
    for client in wanted.get("clients", []):
        put_client(client)
    if "twist" in wanted:
        site_people.bent.clear()
        site_people.twist.clear()
        site_people.twist.update(wanted["twist"])
    if "bent" in wanted:
        return JsonResponse({"bent": str(len(site_people.bent))})
    if "sign" in wanted:
        return JsonResponse({"token": site_people.sign(**wanted["sign"])})
    return JsonResponse({name: str(pk) for name, pk in User.objects.values_list("username", "pk")})


def put_person(name: str, person: dict[str, Any]) -> None:
    user, is_new = User.objects.get_or_create(username=name)
    if is_new or "password" in person:
        user.set_password(person.get("password", name))
    user.first_name, _, user.last_name = person.get("name", name.title()).partition(" ")
    user.email = f"{name}@example.org"
    user.save()
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in person.get("groups", [])])


def put_client(client: dict[str, Any]) -> None:
    row, _ = Client.objects.get_or_create(id=client["id"])
    row.name, row.skip_consent, row.scopes = client["id"], True, "openid\nprofile\nemail"
    row.set_secret(client["secret"])
    row.set_redirect_uris(client["redirect_uris"])
    row.data = {
        "backchannel_logout_uri": client.get("backchannel_logout_uri"),
        "frontchannel_logout_uri": client.get("frontchannel_logout_uri"),
    }
    row.set_post_logout_redirect_uris(client.get("post_logout_redirect_uris", []))
    row.save()


def sign_out_in_frames(request: HttpRequest) -> HttpResponse:
    """End the provider's session and load each client's front-channel address in a frame."""
    issuer = request.build_absolute_uri("/").rstrip("/")
    sid = site_people.session_id(request.user)  # type: ignore[arg-type]
    addresses = [
        f"{client.data['frontchannel_logout_uri']}?iss={issuer}&sid={sid}"
        for client in Client.objects.all()
        if (client.data or {}).get("frontchannel_logout_uri")
    ]
    logout(request)
    frames = format_html_join("", '<iframe src="{}"></iframe>', ((address,) for address in addresses))
    return HttpResponse(format_html("<!doctype html><title>Signed out</title><h1>Signed out</h1>{}", frames))


urlpatterns = [
    path("arrange/", arrange),
    path("frames/", sign_out_in_frames),
    path("accounts/", include("allauth.account.urls")),
    path("cas/", include("cas_server.urls", namespace="cas_server")),
    path("", include("allauth.idp.urls")),
    path("", lambda _request: HttpResponse("<!doctype html><title>Providers</title><h1>Providers</h1>")),
]

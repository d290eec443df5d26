"""Fill two organisations with people, past every page: a small one and a large one, each with an administrator."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks._server import Installation

SMALL, LARGE = 1_000, 100_000

# Names in Chinese, departments that many share, one login in a thousand disabled: as an organisation has them.
_FILL = """
import json, os, random
from accounts.models import User, fold
from accounts.services import create_account
from accounts.tokens import create_token
from consent.services import accept_notice, read_current_notice
from qwenportal.setup import open_tenant
from tenants.models import Tenant
from tenants.scope import tenant_scope

password = os.environ["ACCOUNT_PASSWORD"]
given, family, found = "敏静伟莉超国栋岩琪", "周王林陈赵孙何马", {{}}
random.seed(1)
for code, count in {sizes}.items():
    tenant = open_tenant(code=code, name=code.title())
    create_account(tenant=tenant, login="boss", display_name="Boss", role="admin", password=password)
    people = []
    for at in range(count - 1):
        person = User(tenant=tenant, login_name=f"{{random.choice('abcdefghklmwxyz')}}{{at:06}}", role="member")
        person.display_name = random.choice(family) + random.choice(given) + random.choice(given)
        person.department, person.is_active = f"第{{at % 97}}营业部", at % 1000 != 7
        person.password, person.handle = "!" + "x" * 90, f"{{code}}/{{person.login_name}}"
        person.search_key = fold(f"{{person.login_name}} {{person.display_name}} {{person.department}}")
        people.append(person)
    User.objects.bulk_create(people, batch_size=2000)
    middle = sorted(person.login_name for person in people)[len(people) // 2]
    found[code] = str(User.objects.get(tenant=tenant, login_name=middle).pk)
member = User.objects.get(handle="demo/member")
with tenant_scope(member.tenant_id):
    accept_notice(member, notice=read_current_notice(language="en"), ip=None)
found["token"] = create_token(member, name="Benchmark", scopes=["profile.read"], days=1).text
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class People:
    """Where the middle page of each organisation begins, and a token of the demo member."""

    middle: dict[str, str]
    token: str


def fill(installation: Installation) -> People:
    """Create the people; takes about twenty seconds."""
    found = json.loads(
        installation.run_script(_FILL.format(sizes={"small": SMALL, "large": LARGE})).splitlines()[-1]
    )
    token = found.pop("token")
    return People(middle=found, token=token)

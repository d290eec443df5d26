"""Put everybody into an installation and sign them in: `python -m tests.walls.populate`, in its environment.

Prints the session of each person as JSON, by the names of the table.
"""

from __future__ import annotations

import json

import django


def main() -> None:
    django.setup()
    from tests.conftest import make_cast
    from tests.qwenportal.support import browser
    from tests.walls.people import make_people

    people = make_people(make_cast())
    cookies = {
        name: browser(people[name]).cookies["portal_session"].value for name in people.__dataclass_fields__
    }
    print(json.dumps(cookies))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()

"""Serve the providers on a loopback port: `python -m tests.providers.site_serve PORT`, folder in PROVIDERS_DIR."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def write_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def main(port: int) -> None:
    write_key(Path(os.environ["PROVIDERS_DIR"]) / "key.pem")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.providers.site_settings"
    import django
    from django.apps import apps
    from django.core.management import call_command
    from django.core.servers.basehttp import run
    from django.core.wsgi import get_wsgi_application

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    pattern: Any = apps.all_models["cas_server"]["servicepattern"]._default_manager.create(
        name="portal",
        pattern=r"^http://(127\.0\.0\.1|localhost|testserver)[:/].*$",
        single_log_out=True,
        proxy=True,
    )
    for name in ("displayName", "memberOf", "mail"):
        pattern.attributs.create(name=name)
    run("127.0.0.1", port, get_wsgi_application(), threading=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Name static files by their content, so that browsers keep them for ever."""

from __future__ import annotations

from servestatic.storage import CompressedManifestStaticFilesStorage


class PortalStaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Hashed and compressed files, made by `collectstatic`."""

    support_js_module_import_aggregation = True

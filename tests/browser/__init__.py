"""The portal as people meet it: Chromium against a running server."""

"""Sign people in at their organisation's own page: OpenID Connect and CAS."""

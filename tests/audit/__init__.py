"""What the audit log promises."""

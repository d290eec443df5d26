"""What the portal promises, as tests; a test's name is the rule that it proves."""

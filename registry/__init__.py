"""Know which model files the portal may run, and that they are what they say."""

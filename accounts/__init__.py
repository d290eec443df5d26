"""People: who they are, what their role permits, and how they sign in."""

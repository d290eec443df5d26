"""Single sign-on against real providers."""

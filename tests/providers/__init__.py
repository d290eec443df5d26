"""A real OpenID provider and a real CAS server for the tests: a site of their own, in a process of their own."""

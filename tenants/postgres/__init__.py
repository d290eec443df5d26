"""PostgreSQL, told of the tenant scope before every statement."""

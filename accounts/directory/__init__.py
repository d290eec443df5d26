"""Ask an organisation's LDAP directory who somebody is; the only part of the portal that speaks LDAP."""

"""Who may do what: keys, scopes, and the rule for services that have no key yet."""

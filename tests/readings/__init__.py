"""How others read a message: small models of their documented traits, and two of them as they are."""

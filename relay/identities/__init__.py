"""The directory of identities and their policies, with ages."""

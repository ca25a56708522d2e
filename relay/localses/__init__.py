"""A small SES of our own, for laptops and tests."""

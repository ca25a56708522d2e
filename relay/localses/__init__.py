"""
A small SES of our own for laptops and tests: it speaks SES's wire, checks SES's rules and answers in SES's words.

It shares no code with the relay's back door or reader: it is the second opinion on our own requests.
"""

"""
The doctor: looks at everything that a relay needs before mail flows, and says what would mend what fails.

Nothing is changed by it, neither here nor at AWS. Each module holds looks of one kind; ``examination`` puts them
together, ``rounds`` makes them, ``catalog`` says what each check is about.
"""

"""``python -m relay``: the command ``ses-relay``."""

from relay.cli import main

if __name__ == "__main__":
    main()

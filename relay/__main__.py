"""``python -m relay``: the command ``ses-relay``."""

from relay.cli import main as command
from relay.cli.streams import in_words, open_what_is_closed


def main() -> None:
    """Run the command; what the machine refuses it, and no room expected, is one line and exit code 1."""
    open_what_is_closed()
    try:
        command()
    except OSError as error:
        raise SystemExit(f"Error: {in_words(error)}") from None


if __name__ == "__main__":
    main()

"""Everything that is measured, one part after the other."""

import platform
import sys

from bench import decisions, growth, latency, relays, spool, start


def main() -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {sys.platform}; CPU time, medians")
    decisions.main()
    spool.main()
    relays.main([])
    latency.main()
    growth.main()
    start.main()


if __name__ == "__main__":
    main()

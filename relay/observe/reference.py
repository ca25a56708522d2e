"""docs/reference/metrics.md, written from the table: ``python -m relay.observe.reference`` prints it."""

import sys

from relay.observe.table import LABELS, ROWS, Row
from relay.words.endings import Outcome, Reason

_BEFORE = """\
# Metrics

`GET /metrics` on the admin endpoint: the Prometheus text format, or OpenMetrics where `Accept` asks for it. This page
is made from the table that registers them: `python -m relay.observe.reference`.

A message is *received* when its MAIL is accepted or refused, and it ends in exactly one `outcome`: the sum of
`ses_relay_messages_total` over all labels equals `ses_relay_messages_received_total`, less the messages under way.

Names and labels are stable. Labels hold names of the configuration or words of a closed set, never what a client sent;
anything unforeseen is counted as `other`. Every metric is there from the start, its feature on or off. `process_*` of
the process itself is there as well.

In OpenMetrics, a bucket of `ses_relay_decision_seconds` and `ses_relay_transaction_seconds`, and a count of refused or
deferred messages, names a decision that fell into it (an exemplar, `decision`): [from a graph to a log
line](../how-to/monitor.md#from-a-graph-to-a-log-line).

| name | type | labels | meaning |
|---|---|---|---|
"""


def metrics_reference() -> str:
    """Return the page as Markdown."""
    rows = "".join(f"{_line(row)}\n" for row in ROWS)
    labels = "".join(f"| `{name}` | {holds} |\n" for name, holds in LABELS.items())
    reasons = " ".join(f"`{reason.value}`" for reason in Reason)
    outcomes = " ".join(f"`{outcome.value}`" for outcome in Outcome)
    buckets = "".join(f"| `{row.name}` | {_bounds(row)} |\n" for row in ROWS if row.buckets)
    return (
        f"{_BEFORE}{rows}\n## Labels\n\n| label | holds |\n|---|---|\n{labels}\n"
        f"`outcome`: {outcomes}.\n\n`reason`: {reasons}.\n\n"
        f"## Buckets\n\nUpper bounds, in seconds or octets.\n\n| histogram | up to |\n|---|---|\n{buckets}"
    )


def _line(row: Row) -> str:
    labels = ", ".join(f"`{label}`" for label in row.labels)
    return f"| `{row.name}` | {row.kind} | {labels} | {row.help} |"


def _bounds(row: Row) -> str:
    return ", ".join(f"{bound:g}" if bound < 1000 else f"{bound:.0f}" for bound in row.buckets)


if __name__ == "__main__":
    sys.stdout.write(metrics_reference())

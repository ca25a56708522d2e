"""config/grafana/dashboard.json as a table: a row of panels for each step of a message's walk (``make docs``)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

#: What every query of one relay's series chooses by.
HERE: Final = 'job="ses-relay", instance=~"$instance"'
ITS: Final = f'{HERE}, delegate=~"$delegate"'
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH: Final = 24
_HEIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. ``queries``: expressions, each with the legend of its series. ``unit`` is Grafana's name of it."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    about: str = ""
    kind: str = "timeseries"
    stacked: bool = False
    exemplars: bool = False
    thresholds: tuple[float, float] | None = None  # orange from the first on, red from the second; the other way down


def _rate(metric: str, by: str, chosen: str = HERE) -> str:
    return f"sum by ({by}) (rate({metric}{{{chosen}}}[$__rate_interval]))"


def _quantile(quantile: float, metric: str, by: str = "le") -> str:
    return f"histogram_quantile({quantile}, {_rate(f'{metric}_bucket', by)})"


def _one(query: str, legend: str = "") -> tuple[tuple[str, str], ...]:
    return ((query, legend),)


ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "At a glance": (
        Panel("Ready", "bool_yes_no", _one(f"ses_relay_ready{{{HERE}}}", "{{instance}}"), kind="stat"),
        Panel(
            "Messages a second",
            "short",
            _one(f"sum(rate(ses_relay_messages_total{{{ITS}}}[$__rate_interval]))"),
            kind="stat",
        ),
        Panel(
            "Went well",
            "percentunit",
            _one(
                f'sum(increase(ses_relay_messages_total{{{ITS}, outcome=~"accepted|queued"}}[$__range]))'
                f' / sum(increase(ses_relay_messages_total{{{ITS}, outcome!="aborted"}}[$__range]))'
            ),
            "Of all messages that came to an end of their own in the time shown.",
            kind="stat",
        ),
        Panel(
            "Trouble",
            "short",
            _one(f"sum by (check) (ses_relay_trouble{{{HERE}}})", "{{check}}"),
            "Checks of /readyz?verbose that have something to say.",
            kind="stat",
        ),
        Panel(
            "How messages end",
            "short",
            _one(_rate("ses_relay_messages_total", "outcome, reason", ITS), "{{outcome}} {{reason}}"),
            "Each message once. A point of a refusal leads to its decision.",
            stacked=True,
            exemplars=True,
        ),
        Panel(
            "By delegate",
            "short",
            _one(_rate("ses_relay_messages_total", "delegate, outcome", ITS), "{{delegate}} {{outcome}}"),
        ),
    ),
    "The door": (
        Panel(
            "Sessions open",
            "short",
            _one(f"sum by (instance, listener) (ses_relay_sessions{{{HERE}}})", "{{instance}} {{listener}}"),
        ),
        Panel("Messages begun", "short", _one(_rate("ses_relay_messages_received_total", "listener"), "{{listener}}")),
        Panel(
            "Refusing replies",
            "short",
            _one(
                _rate("ses_relay_smtp_replies_total", "command, code", f'{HERE}, code=~"4..|5.."'),
                "{{command}} {{code}}",
            ),
        ),
        Panel(
            "Certificate ends in",
            "s",
            _one(
                f"min by (instance, listener) (ses_relay_tls_certificate_expires_seconds{{{HERE}}}) - time()",
                "{{listener}}",
            ),
            thresholds=(1209600, 172800),
        ),
    ),
    "Who is calling": (
        Panel("AUTH", "short", _one(_rate("ses_relay_auth_total", "mechanism, result"), "{{mechanism}} {{result}}")),
        Panel(
            "Observed, not enforced", "short", _one(f"max by (delegate) (ses_relay_observing{{{ITS}}})", "{{delegate}}")
        ),
    ),
    "The message's form": (
        Panel(
            "Refused for its form",
            "short",
            _one(
                _rate(
                    "ses_relay_messages_total",
                    "delegate, reason",
                    f'{ITS}, reason=~"message-form|address-form|size|recipients"',
                ),
                "{{delegate}} {{reason}}",
            ),
            exemplars=True,
        ),
        Panel(
            "Repaired", "short", _one(_rate("ses_relay_repairs_total", "delegate, kind", ITS), "{{delegate}} {{kind}}")
        ),
        Panel(
            "Size",
            "bytes",
            (
                (_quantile(0.5, "ses_relay_message_bytes"), "half are smaller"),
                (_quantile(0.99, "ses_relay_message_bytes"), "99 % are smaller"),
            ),
        ),
        Panel(
            "Domains of recipients", "short", _one(_rate("ses_relay_recipient_domains_total", "result"), "{{result}}")
        ),
    ),
    "The judge": (
        Panel(
            "Verdicts",
            "short",
            _one(
                _rate("ses_relay_decisions_total", "delegate, verdict, mode", ITS),
                "{{delegate}} {{verdict}} ({{mode}})",
            ),
        ),
        Panel(
            "Not allowed, by identity",
            "short",
            _one(
                _rate("ses_relay_decisions_total", "identity, role, verdict", f'{ITS}, verdict!="allowed"'),
                "{{identity}} {{role}} {{verdict}}",
            ),
        ),
        Panel(
            "Rejected, of what ends",
            "percentunit",
            _one(
                'delegate:ses_relay_messages_rejected:ratio15m{job="ses-relay", delegate=~"$delegate"}', "{{delegate}}"
            ),
            "In the last 15 minutes, of all relays together.",
        ),
        Panel(
            "Time to judge a message",
            "s",
            (
                (_quantile(0.5, "ses_relay_decision_seconds"), "half are faster"),
                (_quantile(0.99, "ses_relay_decision_seconds"), "99 % are faster"),
            ),
            exemplars=True,
        ),
        Panel(
            "SES said no where we said yes",
            "short",
            _one(
                f"sum by (identity, kind) (ses_relay_ses_disagreements_total{{{HERE}}})",
                "{{identity}} {{kind}}",
            ),
            "Since the start. Any is worth a look: docs/reference/alerts.md.",
        ),
    ),
    "Pace and SES": (
        Panel(
            "Calls",
            "short",
            _one(
                _rate("ses_relay_ses_requests_total", "region, operation, result"),
                "{{region}} {{operation}} {{result}}",
            ),
        ),
        Panel(
            "Time of calls",
            "s",
            (
                (_quantile(0.5, "ses_relay_ses_request_seconds", "region, le"), "{{region}} half are faster"),
                (_quantile(0.95, "ses_relay_ses_request_seconds", "region, le"), "{{region}} 95 % are faster"),
            ),
        ),
        Panel(
            "Pace",
            "short",
            _one(f"ses_relay_send_rate_limit{{{HERE}}}", "{{account}} {{region}}"),
            "Recipients a second. It falls when SES throttles.",
        ),
        Panel(
            "Left of the day's quota",
            "percentunit",
            _one(
                'instance_account_region:ses_relay_quota_remaining:ratio{job="ses-relay", instance=~"$instance"}',
                "{{account}} {{region}}",
            ),
            thresholds=(0.1, 0.01),
        ),
        Panel(
            "Failing calls", "percentunit", _one('region:ses_relay_ses_failures:ratio5m{job="ses-relay"}', "{{region}}")
        ),
        Panel(
            "Throttled calls",
            "percentunit",
            _one('region:ses_relay_ses_throttled:ratio5m{job="ses-relay"}', "{{region}}"),
        ),
        Panel(
            "A message, from MAIL to its reply",
            "s",
            (
                (_quantile(0.5, "ses_relay_transaction_seconds"), "half are faster"),
                (_quantile(0.99, "ses_relay_transaction_seconds"), "99 % are faster"),
            ),
            exemplars=True,
        ),
    ),
    "Spool and courier": (
        Panel(
            "In the spool",
            "short",
            _one(f"sum by (state) (ses_relay_spool_messages{{{HERE}}})", "{{state}}"),
            stacked=True,
        ),
        Panel(
            "Age of the oldest",
            "s",
            _one(f"max by (instance) (ses_relay_spool_oldest_seconds{{{HERE}}})", "{{instance}}"),
        ),
        Panel("Attempts", "short", _one(_rate("ses_relay_deliveries_total", "result"), "{{result}}")),
        Panel(
            "Possible duplicates",
            "short",
            _one(
                f"sum by (instance) (increase(ses_relay_possible_duplicates_total{{{HERE}}}[$__range]))", "{{instance}}"
            ),
        ),
    ),
    "Notifications": (
        Panel("Of undelivered mail", "short", _one(_rate("ses_relay_notices_total", "result"), "{{result}}")),
    ),
    "Feedback": (
        Panel(
            "What SES tells",
            "short",
            _one(_rate("ses_relay_feedback_total", "delegate, kind", ITS), "{{delegate}} {{kind}}"),
        ),
        Panel(
            "Standing",
            "short",
            _one(f"max by (delegate) (ses_relay_delegate_standing{{{ITS}}})", "{{delegate}}"),
            "0 good, 1 warned, 2 slowed, 3 suspended.",
            thresholds=(2, 3),
        ),
        Panel(
            "Bounced, of a day",
            "percentunit",
            _one('delegate:ses_relay_feedback_bounce:ratio1d{job="ses-relay", delegate=~"$delegate"}', "{{delegate}}"),
            "SES reviews an account at 5 % and may stop it at 10 %.",
            thresholds=(0.05, 0.1),
        ),
        Panel(
            "Complained, of a day",
            "percentunit",
            _one(
                'delegate:ses_relay_feedback_complaint:ratio1d{job="ses-relay", delegate=~"$delegate"}', "{{delegate}}"
            ),
            "SES reviews an account at 0.1 % and may stop it at 0.5 %.",
            thresholds=(0.001, 0.005),
        ),
    ),
    "Freshness of policies": (
        Panel(
            "Age",
            "s",
            (
                (f"ses_relay_policy_age_seconds{{{HERE}}}", "{{identity}}"),
                (f"max(ses_relay_policy_max_stale_seconds{{{HERE}}})", "policies.max_stale"),
            ),
        ),
        Panel("Unreadable", "short", _one(f"sum by (identity) (ses_relay_policy_problems{{{HERE}}})", "{{identity}}")),
        Panel("Readings", "short", _one(_rate("ses_relay_policy_refreshes_total", "result"), "{{result}}")),
        Panel(
            "A withdrawn permission ends within",
            "s",
            _one(f"max by (account, region) (ses_relay_policy_revocation_seconds{{{HERE}}})", "{{account}} {{region}}"),
        ),
        Panel(
            "Changes",
            "short",
            _one(f"sum by (kind) (increase(ses_relay_policy_changes_total{{{HERE}}}[$__rate_interval]))", "{{kind}}"),
        ),
    ),
    "The relay's health": (
        Panel(
            "CPU", "percentunit", _one(f"rate(process_cpu_seconds_total{{{HERE}}}[$__rate_interval])", "{{instance}}")
        ),
        Panel("Memory", "bytes", _one(f"process_resident_memory_bytes{{{HERE}}}", "{{instance}}")),
        Panel(
            "Files open", "percentunit", _one(f"process_open_fds{{{HERE}}} / process_max_fds{{{HERE}}}", "{{instance}}")
        ),
        Panel(
            "Loop lag",
            "s",
            (
                (_quantile(0.5, "ses_relay_loop_lag_seconds"), "half"),
                (_quantile(0.99, "ses_relay_loop_lag_seconds"), "99 %"),
            ),
        ),
        Panel(
            "Incidents",
            "short",
            _one(f"sum by (instance) (increase(ses_relay_incidents_total{{{HERE}}}[$__range]))", "{{instance}}"),
        ),
        Panel(
            "Not kept by the journal",
            "short",
            _one(_rate("ses_relay_journal_dropped_total", "instance"), "{{instance}}"),
        ),
        Panel("Up for", "s", _one(f"time() - process_start_time_seconds{{{HERE}}}", "{{instance}}"), kind="stat"),
        Panel(
            "Version",
            "short",
            _one(f"sum by (version, python) (ses_relay_build_info{{{HERE}}})", "{{version}}, Python {{python}}"),
            kind="stat",
        ),
        Panel(
            "Messages under way",
            "short",
            _one('instance:ses_relay_messages_open{job="ses-relay", instance=~"$instance"}', "{{instance}}"),
            "Begun and not ended. It comes back to 0 whenever nobody sends.",
        ),
    ),
}


def dashboard() -> str:
    """Return the dashboard as JSON that Grafana imports."""
    whole = {
        "title": "ses-relay",
        "uid": "ses-relay",
        "tags": ["mail"],
        "description": "A row for each step of a message's walk, from the door to SES.",
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                _datasource(),
                _variable("instance", "ses_relay_ready"),
                _variable("delegate", "ses_relay_observing"),
            ]
        },
        "annotations": {"list": [_starts()]},
        "panels": list(_laid_out()),
    }
    return f"{json.dumps(whole, indent=1, ensure_ascii=False)}\n"


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(name: str, metric: str) -> dict[str, Any]:
    query = f'label_values({metric}{{job="ses-relay"}}, {name})'
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def _starts() -> dict[str, Any]:
    changed = f"changes(process_start_time_seconds{{{HERE}}}[1m]) > 0"
    return {
        "name": "Starts",
        "enable": True,
        "datasource": _SOURCE,
        "expr": changed,
        "titleFormat": "start",
        "iconColor": "blue",
    }


def _laid_out() -> Iterator[dict[str, Any]]:
    """Panels of a row share its width, up to four beside each other."""
    number, top = 0, 0
    for title, panels in ROWS.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": _place(0, top, _WIDTH, 1),
        }
        top += 1
        columns = min(len(panels), 3 if len(panels) % 4 else 4)
        for place, panel in enumerate(panels):
            number += 1
            left, width = place % columns * (_WIDTH // columns), _WIDTH // columns
            yield {
                "id": number,
                **_drawn(panel),
                "gridPos": _place(left, top + place // columns * _HEIGHT, width, _HEIGHT),
            }
        top += -(-len(panels) // columns) * _HEIGHT


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _drawn(panel: Panel) -> dict[str, Any]:
    targets = [
        {
            "refId": chr(ord("A") + place),
            "expr": query,
            "legendFormat": legend or "__auto",
            "exemplar": panel.exemplars,
            "datasource": _SOURCE,
        }
        for place, (query, legend) in enumerate(panel.queries)
    ]
    fields: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.stacked:
        fields["custom"] = {"stacking": {"mode": "normal"}, "fillOpacity": 30}
    if panel.thresholds is not None:
        fields["thresholds"] = {"mode": "absolute", "steps": _steps(panel.thresholds)}
        fields["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": fields, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if panel.kind == "timeseries" else {},
    }


def _steps(thresholds: tuple[float, float]) -> list[dict[str, Any]]:
    orange, red = thresholds
    if orange < red:
        steps = [("transparent", None), ("orange", orange), ("red", red)]
    else:
        steps = [("red", None), ("orange", red), ("transparent", orange)]
    return [{"color": colour, "value": value} for colour, value in steps]

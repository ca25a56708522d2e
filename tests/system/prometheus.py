"""A real Prometheus with the files that are shipped, looking at a relay every second."""

import json
import shutil
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.docs.pages import ROOT
from tests.ports import free_port
from tests.system.relays import Running, ending, http

SHIPPED = ROOT / "config" / "prometheus"


@dataclass(frozen=True)
class Prometheus:
    """Its API."""

    url: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of a query as of now."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def value(self, expression: str) -> float:
        """Return the sum of the samples of a query."""
        return sum(float(sample["value"][1]) for sample in self.ask(expression))

    def exemplars(self, metric: str) -> set[str]:
        """Return the decisions that the exemplars of a metric name."""
        series: list[dict[str, Any]] = self._get("query_exemplars", query=metric, start="1", end="9999999999")
        return {exemplar["labels"]["decision"] for one in series for exemplar in one["exemplars"]}

    def alerts(self) -> set[str]:
        """Name the alerts that fire, or will if it lasts."""
        return {alert["labels"]["alertname"] for alert in self._get("alerts")["alerts"]}

    def troubles(self) -> list[str]:
        """Return what rules could not be worked out, and why."""
        return [rule["lastError"] for group in self._groups() for rule in group["rules"] if rule.get("lastError")]

    def has_worked_out(self, since: datetime) -> bool:
        """Whether all rules were worked out after a moment."""
        return all(datetime.fromisoformat(group["lastEvaluation"]) > since for group in self._groups())

    def _groups(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("rules")["groups"]
        return found

    def _get(self, what: str, **fields: str) -> Any:
        answer = json.loads(http("GET", f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(fields)}"))
        assert answer["status"] == "success", answer
        return answer["data"]


@contextmanager
def started_prometheus(program: str, folder: Path, target: str) -> Iterator[Prometheus]:
    """Run *program* with the shipped files, every second, on the admin endpoint *target*, until the block ends."""
    shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)
    scrape = yaml.safe_load((folder / "scrape.yaml").read_text())
    scrape["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    scrape["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    (folder / "scrape.yaml").write_text(yaml.safe_dump(scrape))
    address, log = f"127.0.0.1:{free_port()}", folder / "prometheus.log"
    arguments = [
        f"--config.file={folder}/scrape.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    with log.open("wb") as sink:
        running = Running(subprocess.Popen([program, *arguments], stdout=sink, stderr=subprocess.STDOUT), log)
    with ending(running):
        running.wait_until(lambda: "Server is ready to receive web requests" in running.text, "a ready Prometheus")
        yield Prometheus(f"http://{address}")

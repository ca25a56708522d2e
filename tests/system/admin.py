"""The admin endpoint of a real relay, asked over real HTTP."""

import json
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """A status and JSON, or text where it is none."""

    status: int
    told: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Admin:
    """One who asks: by which token, if any, and with which further fields."""

    address: str
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: object = None) -> Answer:
        return self.ask("POST", path, json.dumps({} if body is None else body).encode(), JSON)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with closing(HTTPConnection(self.address, timeout=20)) as connection:
            connection.request(method, path, body, {**bearer, **(headers or {}), **self.headers})
            answer = connection.getresponse()
            text, found = answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        is_json = found.get("content-type", "").startswith("application/json") and text
        return Answer(answer.status, json.loads(text) if is_json else text, found)

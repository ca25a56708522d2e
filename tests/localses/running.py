"""A running embedded SES, real AWS clients for it, and requests signed by botocore and then bent."""

import asyncio
import http.client
import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS

OWNER, RELAY = DEMO_KEYS
MESSAGE = b"From: Ann <ann@example.com>\r\nTo: friend@example.net\r\nSubject: hi\r\n\r\nhello\r\n"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
AWS = botocore.session.Session()


class Clock:
    """The wall clock, moved by ``seconds``."""

    seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.seconds


class House:
    """An event loop in a thread of its own, so that blocking clients can be asked from the test."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    @contextmanager
    def running(self, ses: LocalSes) -> Iterator["Door"]:
        _, port = self.run(ses.start("127.0.0.1", 0))
        try:
            yield Door(port)
        finally:
            self.run(ses.stop())


class Door:
    """Where the embedded SES listens."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def client(
        self,
        service: str = "ses",
        key: str = OWNER.id,
        secret: str = OWNER.secret,
        region: str = "us-east-1",
        **more: Any,
    ) -> Any:
        """A client of AWS; ``token`` is that of a session, ``checks`` False sends what botocore would not."""
        return AWS.create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=more.get("token"),
            config=Config(
                retries={"total_max_attempts": 1}, read_timeout=10, parameter_validation=more.get("checks", True)
            ),
        )

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def local(self, method: str, path: str, document: Any = None) -> Any:
        status, _, body = self.ask(
            method, f"/_local/{path}", None if document is None else json.dumps(document).encode()
        )
        return status, json.loads(body)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.local("GET", "messages")[1])

    def signed(self, method: str, path: str, body: bytes, case: Mapping[str, Any]) -> dict[str, str]:
        """The headers of a request that botocore signs, with the key, secret, region and service of *case*."""
        headers = {"Content-Type": case.get("content_type", FORM)} if body else {}
        request = AWSRequest(method, self.url + path, headers=headers, data=body)
        key = Credentials(case.get("key", OWNER.id), case.get("secret", OWNER.secret), case.get("token"))
        SigV4Auth(key, case.get("service", "ses"), case.get("region", "us-east-1")).add_auth(request)
        return {"Host": f"127.0.0.1:{self.port}", **dict(request.headers.items())}


def parameters(case: Mapping[str, Any]) -> dict[str, str]:
    """SendRawEmail's parameters, those of *case* in their place (None takes one out)."""
    raw = case["raw"].encode() if "raw" in case else MESSAGE
    if "octets" in case:
        raw = MESSAGE + b"x\r\n" * ((case["octets"] - len(MESSAGE)) // 3 + 1)
        raw = raw[: case["octets"]]
    plain: dict[str, str | None] = {
        "Action": "SendRawEmail",
        "Version": "2010-12-01",
        "Source": "ann@example.com",
        "Destinations.member.1": "friend@example.net",
        "RawMessage.Data": b64encode(raw).decode(),
    }
    for number in range(1, case.get("destinations", 0) + 1):
        plain[f"Destinations.member.{number}"] = f"r{number}@example.net"
    plain.update(case.get("params", {}))
    return {name: value for name, value in plain.items() if value is not None}


def bent(door: Door, case: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Sign a good request, bend it as *case* says, send it."""
    body = case["body"].encode() if "body" in case else urlencode(parameters(case)).encode()
    path = case.get("path", "/")
    headers = door.signed("POST", path if case.get("sign_path") else "/", body, case)
    if "authorization" in case:
        pattern, replacement = case["authorization"]
        changed = re.sub(pattern, replacement, headers["Authorization"])
        assert changed != headers["Authorization"], "the case bends nothing"
        headers["Authorization"] = changed
    for name, value in case.get("headers", {}).items():
        headers = {known: kept for known, kept in headers.items() if known.lower() != name.lower()}
        if value is not None:
            headers[name] = value
    if "swap" in case:
        swapped = body.replace(*(text.encode() for text in case["swap"]))
        assert swapped != body, "the case bends nothing"
        body = swapped
    body += case.get("append", "").encode()
    return door.ask("POST", path, body, headers)


def parsed(service: str, operation: str, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """What botocore's own parser makes of an answer."""
    model = AWS.get_service_model(service)
    parser = botocore.session.get_session().get_component("response_parser_factory").create_parser(model.protocol)
    answer = {"status_code": status, "headers": {k.lower(): v for k, v in headers.items()}, "body": body}
    return parser.parse(answer, model.operation_model(operation).output_shape)


def validated(client: Any) -> Any:
    """The client, every answer of whose calls is held against botocore's model: types, and members that must be."""
    model = client.meta.service_model

    def check(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if "Error" not in parsed and model.output_shape is not None:
            told = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
            report = ParamValidator().validate(told, model.output_shape)
            assert not report.has_errors(), f"{model.name}: {report.generate_report()}"

    client.meta.events.register(f"after-call.{model.service_id.hyphenize()}", check)
    return client

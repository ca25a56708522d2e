"""The far side: nginx under TLS, which answers every call as SES does when it takes a message, and keeps nothing."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

from bench.machine import REST, on
from bench.trees import ROOT, environ_of
from tests.ports import free_port
from tests.system.relays import clean_environ

#: What comes is read whole before it is answered, as SES does: for that a second server answers, without the body.
#: What is too small for a message asks who the caller is or what its quota is; it is answered and not counted.
_CONF = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; multi_accept on; }}
http {{
    map $content_length $is_mail {{ "~^[0-9]{{1,3}}$" 0; default 1; }}
    log_format tally "1";
    access_log off;
    client_max_body_size 0;
    client_body_buffer_size 20m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    upstream answers {{
        server unix:{folder}/answers.sock;
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/c.pem;
        ssl_certificate_key {folder}/k.pem;
        access_log {folder}/tally tally if=$is_mail;
        location / {{
            if ($is_mail = 0) {{ rewrite ^ /small break; }}
            proxy_pass http://answers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_pass_request_headers off;
            proxy_set_header Content-Length "";
        }}
    }}
    server {{
        listen unix:{folder}/answers.sock;
        default_type text/xml;
        location / {{ return 200 '{answer}'; }}
        location /small {{ return 200 '{caller}'; }}
        location /v2/ {{ default_type application/json; return 200 '{{"MessageId": "0100-1"}}'; }}
    }}
}}
"""
_ANSWER = (
    '<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendRawEmailResult><MessageId>0100-1'
    "</MessageId></SendRawEmailResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    "</SendRawEmailResponse>"
)
_CALLER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::888888888888:user/relay</Arn><UserId>AIDADEMORELAY</UserId><Account>888888888888</Account>"
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    "</GetCallerIdentityResponse>"
)


@dataclass(frozen=True)
class FarSide:
    """The running nginx, which counts the messages that it answered: two octets in a file for each."""

    tally: Path

    def taken(self) -> int:
        """Return how many messages came so far."""
        return self.tally.stat().st_size // 2


@dataclass(frozen=True)
class Stage:
    """Where relays send to, what makes them trust it, and a folder for theirs; ``far_side`` if it counts."""

    endpoint: str
    environ: dict[str, str]
    folder: Path
    far_side: FarSide | None = None


@contextmanager
def stage(delay: float = 0) -> Iterator[Stage]:
    """Run a far side under TLS; one that shall answer only after *delay* seconds is a Python (``bench.far_side``)."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("localhost", "relay", key_type=trustme.KeyType.ECDSA)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, on(REST):
        folder = Path(name)
        chain, key, trusted = folder / "c.pem", folder / "k.pem", folder / "ca.pem"
        chain.write_bytes(issued.cert_chain_pems[0].bytes())
        key.write_bytes(issued.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(trusted))
        environ = {"SSL_CERT_FILE": str(trusted), "AWS_CA_BUNDLE": str(trusted)}
        if delay:
            with listening("bench.far_side", str(delay), str(chain), str(key)) as (_, port):
                yield Stage(f"https://localhost:{port}", environ, folder)
        else:
            with _nginx(folder) as (port, far_side):
                yield Stage(f"https://localhost:{port}", environ, folder, far_side)


@contextmanager
def _nginx(folder: Path) -> Iterator[tuple[int, FarSide]]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise SystemExit("bench: nginx is not installed; tests/provide brings it")
    port = free_port()
    conf, log = folder / "nginx.conf", folder / "nginx.log"
    conf.write_text(_CONF.format(folder=folder, port=port, answer=_ANSWER, caller=_CALLER))
    process = subprocess.Popen([program, "-c", str(conf), "-p", str(folder), "-e", str(log)], stdout=subprocess.DEVNULL)
    wait_for_port(port, process, log)
    try:
        yield port, FarSide(folder / "tally")
    finally:
        process.kill()
        process.wait()


def wait_for_port(port: int, process: "subprocess.Popen[bytes] | None", log: Path) -> None:
    """Wait until something listens there; exit with its log when it ended instead, or is not there in ten seconds."""
    deadline = time.monotonic() + 10
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if (process is not None and process.poll() is not None) or time.monotonic() > deadline:
            raise SystemExit(f"bench: nothing listens on {port}: {log.read_text() if log.exists() else ''}")
        time.sleep(0.02)


@contextmanager
def listening(module: str, *arguments: str, environ: dict[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """Run a module that prints the port it listens on; yield its process id and port."""
    command = [sys.executable, "-m", module, *arguments]
    surroundings = clean_environ((environ or {}) | environ_of(ROOT))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings, cwd=ROOT)
    assert process.stdout is not None
    with process.stdout as said:
        try:
            yield process.pid, int(said.readline())
        finally:
            process.kill()
            process.wait()

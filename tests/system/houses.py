"""A relay's folder: the demo's settings and policies, on free ports, to be changed as a test likes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.relays import RunningRelay, started

DEMO = Path(__file__).parents[2] / "config" / "demo"
OWNED = Path("policies") / "888888888888" / "us-east-1"
NOTIFICATIONS = '[notifications]\nfrom = "postmaster@example.com"'
IMPLICIT = '[[listener]]\naddress = "localhost:0"\ntls = "implicit"\n\n[tls]\n'


class House:
    """A folder with relay.toml, policies and a certificate; policies count a tenth of a second after a change."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path], *, ses: str) -> None:
        shutil.copytree(DEMO, folder, dirs_exist_ok=True)
        self.folder = folder
        self.ses = ses
        self.settings = folder / "relay.toml"
        self.show(certificate)
        self.edit('"127.0.0.1:2525"', '"127.0.0.1:0"')
        self.edit('"127.0.0.1:8025"', '"127.0.0.1:0"')
        self.edit('"http://127.0.0.1:8579"', f'"{ses}"')
        self.edit('refresh_interval = "2s"', 'refresh_interval = "100ms"')
        self.edit("[tls]\n", IMPLICIT)
        self.edit('mode = "fallback"', 'mode = "direct"')
        self.edit(NOTIFICATIONS, "[notifications]\n#")

    def show(self, certificate: tuple[Path, Path]) -> None:
        """Put another certificate and key in place."""
        for name, path in zip(("certificate.pem", "key.pem"), certificate, strict=True):
            shutil.copyfile(path, self.folder / name)
        (self.folder / "key.pem").chmod(0o600)

    def edit(self, old: str, new: str) -> None:
        """Replace a piece of relay.toml that is there."""
        text = self.settings.read_text()
        assert old in text, f"{old!r} is not in relay.toml"
        self.settings.write_text(text.replace(old, new, 1))

    @property
    def spool(self) -> Path:
        """Where the spool is, if there is one."""
        return self.folder / "spool" / "spool.db"

    def keep(self, mode: str, **options: str) -> "House":
        """Keep messages in a spool in mode *mode*, tried again soon; *options* are further keys of ``[spool]``."""
        self.edit('mode = "direct"', f'mode = "{mode}"\nbudget = "{options.pop("budget", "8s")}"')
        keys = {"url": f"sqlite://{self.spool}", "retry_first": "100ms", "retry_unsure": "500ms", **options}
        lines = "".join(f'{key} = "{value}"\n' for key, value in keys.items())
        self.settings.write_text(f"{self.settings.read_text()}\n[spool]\n{lines}")
        return self

    def notify(self) -> "House":
        """Have a notification written about what fails after 250."""
        self.edit("[notifications]\n#", f"{NOTIFICATIONS} #")
        return self

    def policy(self, name: str) -> Path:
        """The file of a policy, such as ``example.com/billing``."""
        return self.folder / OWNED / f"{name}.json"

    @contextmanager
    def serve(self, environ: dict[str, str] | None = None, *, log: str = "relay.log") -> Iterator[RunningRelay]:
        """Run ``ses-relay serve`` on it until the block ends; its log is kept under the name *log*."""
        with started(["serve", "-c", str(self.settings)], self.folder, environ, log=log) as relay:
            yield relay

"""The one page: what this is and where to look. No script, no asset, nothing that is loaded from elsewhere."""

import base64
import hashlib
from typing import Final

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;"
    "padding:0 1rem}code{font-size:.95em}dt{margin-top:1rem}dd{margin:0}"
)

PAGE: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ses-relay</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>ses-relay</h1>
<p>An SMTP relay that enforces Amazon SES sending authorization. This is its admin endpoint.</p>
<dl>
<dt><a href="/readyz?verbose"><code>/readyz?verbose</code></a></dt>
<dd>Whether mail can be sent now, and what is in the way if not.</dd>
<dt><a href="/metrics"><code>/metrics</code></a></dt>
<dd>What was received, decided and sent, for Prometheus.</dd>
<dt><a href="/livez"><code>/livez</code></a></dt>
<dd>Whether the process answers at all.</dd>
</dl>
<p>Why one message was refused: its reply carries an id, and the log has one line <code>message</code> with that id and
the whole decision.</p>
</main>
</body>
</html>
"""

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}

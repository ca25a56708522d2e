"""Settings of peers, as people have them."""

from pathlib import Path

#: bcrypt, of cost 4, of SECRET.
HASH = "$2b$04$G3NKtoZEtVGQcVEWeDNoreTe6gUGkv1CbByVHGka1HGJX0Nm2/uyK"
SECRET = "demo-app-secret"
ACCOUNT = "888888888888"
ARN = "arn:aws:ses:us-east-1:888888888888:identity/example.com"

MAIN_CF = """\
myhostname = mail.example.com
relayhost = [email-smtp.us-east-1.amazonaws.com]:587
mynetworks = 127.0.0.0/8
  10.1.0.0/16
smtpd_sender_login_maps = hash:FOLDER/login
smtpd_sender_restrictions = reject_sender_login_mismatch, permit_mynetworks
header_checks = regexp:/etc/postfix/header_checks
"""
MASTER_CF = """\
# service type  private unpriv  chroot  wakeup  maxproc command + args
2525      inet  n       -       y       -       -       smtpd
  -o syslog_name=postfix/in
pickup    unix  n       -       y       60      1       pickup
"""
LOGIN = """\
# who owns what
@example.com         app
ceo@example.com      ceo
"""
INI = """\
; smtprelay
hostname = relay.example.com
listen = 127.0.0.1:2525
allowed_users = users.txt
allowed_sender = ^[^@]+@example\\.com$
remotes = starttls://AKIAXX:smtp-secret@email-smtp.us-east-1.amazonaws.com:587
"""
USERS = f"""\
app {HASH} app@example.com,news@example.com
john.doe {HASH} @example.com
"""


def decke(folder: Path, ini: str = INI, users: str = USERS) -> Path:
    """Write smtprelay.ini and its users; return the first."""
    (folder / "users.txt").write_text(users)
    (folder / "smtprelay.ini").write_text(ini)
    return folder / "smtprelay.ini"


def postfix(folder: Path, more: str = "", *, login: str = LOGIN, master: str = MASTER_CF) -> Path:
    """Write Postfix's files; *more* goes behind main.cf, whose last word on a parameter counts."""
    settings = folder / "postfix"
    settings.mkdir()
    (settings / "main.cf").write_text((MAIN_CF + more).replace("FOLDER", str(settings)))
    (settings / "master.cf").write_text(master)
    (settings / "login").write_text(login)
    (settings / "users").write_text(f"app:{{BLF-CRYPT}}{HASH}:1000:1000::/home/app\nceo:{HASH}\n")
    return settings

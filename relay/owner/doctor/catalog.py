"""
Every check there is: what it looks at, when it warns, when it fails, and what mends it.

The ids are stable: others' scripts name them. The page of the reference is written from here, and a failing line
without a fix of its own takes the one that stands here.
"""

from itertools import chain
from typing import Final

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Sentences for people; ``warns`` and ``fails`` are empty where it never does."""

    id: str
    looks_at: str
    warns: str
    fails: str
    fix: str


GROUPS: Final[dict[str, tuple[Check, ...]]] = {
    "Settings": (
        Check(
            "settings",
            "the settings, as `ses-relay check` does",
            "a key that means nothing there, or less than it looks like",
            "any problem; nothing else is checked then",
            "Correct the line that is named; `ses-relay check` tells all of them.",
        ),
    ),
    "This machine": (
        Check(
            "tls.certificate",
            "that certificate and key can be read, belong together and serve TLS",
            "",
            "the relay could not start, or could not take over new ones at a reload",
            "Name the PEM files of one certificate and its key in [tls], readable for the relay's user.",
        ),
        Check(
            "tls.expiry",
            "the end of the certificate",
            "it ends within 21 days",
            "it has ended: clients that look at it are gone",
            "Renew the certificate, then SIGHUP: running sessions stay.",
        ),
        Check(
            "tls.name",
            "that the certificate is for `server.hostname`",
            "it is for other names: clients that connect by this one refuse it",
            "",
            "Issue a certificate for the name that clients connect by, or set server.hostname to one of its names.",
        ),
        Check(
            "tls.chain",
            "that a client that trusts what this system trusts would trust the certificate",
            "it would not: an intermediate is missing, or it is an authority of your own",
            "",
            "Append the intermediate certificates to the file of tls.certificate; or give clients your own authority.",
        ),
        Check(
            "files.secrets",
            "passwords, tokens and keys in files: whether the relay can read them, and who else may",
            "everybody on this machine can read one, or others can write one",
            "one cannot be read",
            "chmod 600 FILE, owned by the relay's user.",
        ),
        Check(
            "listener",
            "each address that clients connect to: free, or the running relay's",
            "",
            "another program has it, or this machine or user may not have it",
            "Stop the other program (`ss -ltnp` names it), or choose another [[listener]] address.",
        ),
        Check(
            "admin",
            "the admin address: what `/readyz?verbose` says where the relay runs",
            "the relay tells of something that is near, or of one delegate",
            "the relay is not ready, or another program answers there",
            "What the relay says of itself tells what to mend; `ss -ltnp` names another program.",
        ),
        Check(
            "spool.folder",
            "that the spool's folder is there and can be written",
            "",
            "mail could not be kept",
            "Make the folder and give it to the relay's user: install -d -o USER -m 700 FOLDER.",
        ),
        Check(
            "spool.room",
            "free octets and inodes where the spool is",
            "the disk would be full before spool.max_bytes",
            "not one message of the largest size would fit",
            "Free or add disk, or lower spool.max_bytes.",
        ),
        Check(
            "spool.filesystem",
            "on what kind of file system the spool is",
            "it is in memory, so a restart of the machine loses mail that was answered with 250; or over a network",
            "",
            "Put the spool on a local disk or volume.",
        ),
        Check(
            "spool.lock",
            "who has the spool open",
            "",
            "",
            "One relay has one spool: give each its own spool.url.",
        ),
    ),
    "Redis": (
        Check(
            "shared",
            "the Redis of `shared.url`: whether it is there and lets this relay in",
            "it is away, so each relay goes by itself, at its part of the pace, until it is found",
            "",
            "Mend shared.url, or what is in the way: the server, its user and password, TLS; redis-cli -u URL ping.",
        ),
        Check(
            "spool.server",
            "a spool at a Redis: whether the server is there and promises what `spool.url` asks",
            "",
            "mail could not be kept",
            "Mend spool.url, or the server; or ask it for less, with ?durability= behind the URL.",
        ),
    ),
    "AWS": (
        Check(
            "names",
            "that the names of SES's and STS's endpoints resolve",
            "",
            "one does not",
            "Mend the resolver of this machine; without internet, make VPC endpoints with private DNS names.",
        ),
        Check(
            "credentials",
            "the credentials: where AWS's standard chain found them, and whose STS says they are",
            "they are those of an account's root user",
            "there are none, or AWS does not take them",
            "Give the relay an instance, container or web identity role, or AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY.",
        ),
        Check(
            "clock",
            "this machine's clock beside that of AWS",
            "they differ by more than 60 seconds",
            "they differ by more than 5 minutes: AWS refuses what is signed by this clock",
            "Keep the clock by NTP: systemctl enable --now systemd-timesyncd, or chrony; on EC2 from 169.254.169.123.",
        ),
        Check(
            "region",
            "each region that is named: whether SES answers there, and how fast",
            "no region is named anywhere",
            "SES does not answer there, or not to us",
            "Set ses.region, or regions of [[policies.owner]]; let port 443 out to the endpoint.",
        ),
        Check(
            "sandbox",
            "whether SES lets the account send to everybody: the relay's, and that of each delegate's role",
            "the account is in the sandbox: only verified recipients, 200 a day",
            "",
            "Ask for production access: aws sesv2 put-account-details --production-access-enabled --mail-type "
            "TRANSACTIONAL --website-url URL --region REGION",
        ),
        Check(
            "sending",
            "whether SES lets the account send at all",
            "the account is on probation",
            "sending is paused or shut down",
            "aws sesv2 put-account-sending-attributes --sending-enabled; where AWS paused it, answer its case in the "
            "Support Center.",
        ),
        Check(
            "quota",
            "the recipients of the last 24 hours beside the quota, and the rate",
            "four fifths are used, or GetSendQuota is not permitted: then the rate is learnt from refusals",
            "the quota is used up",
            "Ask for more in Service Quotas (Amazon SES, sending quota), or wait: it counts 24 hours back.",
        ),
        Check(
            "permission",
            "whether IAM lets the relay call ses:SendRawEmail and ses:SendEmail, by iam:SimulatePrincipalPolicy; "
            "without that permission it cannot be told without sending, and is not checked",
            "it depends on the message",
            "IAM does not let it",
            "Add the statement that is shown to a policy of the relay's principal.",
        ),
        Check(
            "configuration-set",
            "each configuration set of the delegates, in each region",
            "",
            "it does not exist where mail would name it: SES refuses such mail",
            "aws sesv2 create-configuration-set --configuration-set-name NAME --region REGION",
        ),
    ),
    "Delegates and owners": (
        Check(
            "delegate.role",
            "each delegate's role: it is assumed once",
            "",
            "it cannot be assumed: the delegate's mail waits",
            "Add the trust policy that is shown to the role, and sts:AssumeRole on it to the relay's principal.",
        ),
        Check(
            "owner.role",
            "each role that an owner lends: it is assumed once",
            "",
            "it cannot be assumed: the owner's policies cannot be read",
            "Have the owner add the trust policy that is shown; add sts:AssumeRole to the relay's principal.",
        ),
        Check(
            "owner.policies",
            "that identities can be listed, and one read with its policies, in each owner's account and region",
            "there is no identity",
            "they cannot be read, and policies come from SES",
            "Add the statements that are shown to a policy of the owner's role, or of the relay's principal.",
        ),
        Check(
            "identity",
            "each identity that delegates use: named in their settings, or with policies in the folder",
            "",
            "it does not exist at SES, or is not verified: SES refuses mail under it",
            "Verify it: publish what `ses-relay identity dns` asks for, or follow the link in the mail to an address.",
        ),
        Check(
            "identity.dkim",
            "whether SES signs for the identity",
            "it does not, or waits for the DNS",
            "",
            "Publish the records that are shown, or let DKIM be set up: aws sesv2 put-email-identity-dkim-attributes "
            "--signing-enabled --email-identity NAME",
        ),
        Check(
            "identity.mail-from",
            "a custom MAIL FROM domain, where there is one",
            "SES does not find its records and uses a MAIL FROM of its own",
            "the same, and the identity rejects mail then",
            "Publish the records that are shown.",
        ),
        Check(
            "identity.dns",
            "that the records of the identity are published: at the servers of its zone, and as dns.nameservers see it",
            "one is on its way; or it is for MAIL FROM, or advice, and missing or wrong",
            "one that SES verifies the identity by is missing or wrong",
            "Publish the records that are shown; `ses-relay identity dns NAME --wait` tells when they are seen.",
        ),
        Check(
            "feedback",
            "whether bounces and complaints of the identity come to anybody: forwarding, topics, or events of a "
            "configuration set",
            "none of these: nobody hears of them, and SES shuts accounts for what nobody heard",
            "",
            "aws ses set-identity-feedback-forwarding-enabled --identity NAME --forwarding-enabled",
        ),
    ),
    "Policies": (
        Check(
            "policies.folder",
            "that the folder of policies can be read, with the owners' folders in it",
            "something in it is passed over, or it holds no identity",
            "it cannot be read: every message is answered with 451",
            "Name the folder in policies.directory, laid out as ACCOUNT/REGION/IDENTITY/POLICY-NAME.json.",
        ),
        Check(
            "policies.readable",
            "that every policy can be judged by",
            "",
            "one cannot: mail under its identity is answered with 451",
            "Correct the policy at the place that is named.",
        ),
        Check(
            "policies.lint",
            "what `ses-relay policy lint` finds",
            "warnings",
            "errors",
            "`ses-relay policy lint` shows each with its place and its fix.",
        ),
        Check(
            "policies.own-account",
            "policies that grant the relay's own account while delegates live in it",
            "one does: SES lets the relay in for all of them",
            "",
            "Name the principal of the relay and those of the delegates, in place of the account.",
        ),
        Check(
            "policies.revocation",
            "after how long a withdrawn permission ends, at the pace that SES takes questions",
            "later than policies.refresh_interval says",
            "later than policies.max_stale: policies would grow too old to decide before they are read again",
            "Raise policies.refresh_interval or policies.max_stale, name fewer regions, or read from a folder.",
        ),
    ),
}

CHECKS: Final[dict[str, Check]] = {check.id: check for check in chain.from_iterable(GROUPS.values())}

GROUP_OF: Final[dict[str, str]] = {check.id: group for group, checks in GROUPS.items() for check in checks}

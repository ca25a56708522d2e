"""
Every kind of finding. ``docs/reference/lint.md`` is written from this table.

What SES refuses: SES Developer Guide, "Policy anatomy" and "Sending authorization policies"; PutIdentityPolicy in the
SES API Reference. How policies are judged: IAM User Guide, "IAM JSON policy elements reference".
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from relay.policy.lint.findings import Rule, Severity

_TABLE: Final = """
# Files and folders

unreadable-file (error)
    The file cannot be read, or is no file, or far larger than any policy. The relay takes a policy that it cannot read
    for a Deny that might be there: nobody may send from the identity.
    Fix: Make it readable for the relay, or take it out of the folder.
not-utf8 (error)
    A policy is text in UTF-8.
    Fix: Save the file as UTF-8.
stray-file (error)
    A file in the folder of an identity that is named as no policy is. A policy might be meant, so the relay lets nobody
    send from the identity.
    Fix: Name it NAME.json, NAME of 1 to 64 letters, digits, - and _; or put a dot before what is no policy.
stray-folder (warning)
    A policy under a folder whose name is no account, region or identity: the relay passes it over.
    Fix: Lay policies out as ACCOUNT/REGION/IDENTITY/POLICY-NAME.json.

# The text

too-large (error)
    SES takes policies of at most 4 KB; here: 4,096 bytes of UTF-8, blanks included.
    Fix: Say more with one wildcard, or split it: an identity takes 20 policies.
policy-name (error)
    The name of a policy is 1 to 64 letters, digits, hyphens and underscores. The name of a file, without .json, is the
    policy's.
    Fix: Rename it.
too-many-policies (error)
    An identity takes at most 20 policies.
    Fix: Put several statements into one policy; a statement may name several principals.
not-json (error)
    The text is not JSON.
    Fix: Correct it where the finding points.
duplicate-key (error)
    A key stands twice in one object. Readers keep one of the two, and not all the same one.
    Fix: Keep one of them; for several values write one key with a list.
unreadable (error)
    Something else that the grammar of policies does not know. The relay answers 451 as long as it stands there.
    Fix: See the grammar of the IAM JSON policy language.

# Elements

unknown-element (error)
    A policy has Version, Id and Statement; a statement Sid, Effect, Principal, Action, Resource and Condition.
    Fix: Correct the spelling, or take it out.
missing-element (error)
    A policy needs a Statement, a statement needs Effect, Principal, Action and Resource.
    Fix: Add what is missing.
exclusive-elements (error)
    An element and its Not- form exclude each other.
    Fix: Keep one of the two.
bad-effect (error)
    Effect is Allow or Deny, spelt so.
    Fix: Write "Allow" or "Deny".
bad-version (error)
    Version is the version of the policy language, not of your policy: there are 2012-10-17 and 2008-10-17.
    Fix: Write "Version": "2012-10-17".
old-version (note)
    Without Version, or with 2008-10-17, the policy has no variables.
    Fix: Write "Version": "2012-10-17", which SES recommends.
notresource (error)
    A policy of SES names the one identity that it is attached to; NotResource names every other.
    Fix: Write Resource, and the ARN of the identity.
undocumented-element (warning)
    NotAction and NotPrincipal are part of IAM's grammar but not of the elements that SES lists; whether SES takes them
    is not documented.
    Fix: Say with Action and Principal whom and what you mean.
duplicate-sid (warning)
    Two statements of a policy with the same Sid: explanations and logs cannot tell them apart.
    Fix: Give each its own.

# Principals

no-principal (error)
    A statement needs at least one principal.
    Fix: Name an account, user or role.
principal-form (error)
    Principal is * or an object of AWS, Service, Federated and CanonicalUser, spelt so.
    Fix: Write "Principal": {"AWS": ...} for accounts, users and roles.
principal-wildcard (error)
    Wildcards do not work inside the ARN of a principal; * stands alone, for everyone.
    Fix: Name each user or role; or name the account and narrow it by a condition with ArnLike on aws:PrincipalArn.
bad-principal (error)
    The text names nobody.
    Fix: Write an account of 12 digits, or the whole ARN of an account root, a user, a role or a session.
principal-deleted (error)
    An id such as AIDA... or AROA... is what is left of a user or role that was deleted. It matches nobody, not even a
    new one of the same name.
    Fix: Name the new user or role by its ARN, or take the entry out.
principal-partition (error)
    Nobody of one partition of AWS (aws, aws-cn, aws-us-gov) can use an identity in another.
    Fix: Name a principal of the identity's partition.
notprincipal-allow (error)
    NotPrincipal with Allow would let everyone else send; AWS does not support it.
    Fix: Name with Principal who may.
notprincipal-incomplete (warning)
    A Deny with NotPrincipal spares only those of whom every identity is listed: for a user or role its account as well,
    for a session its role and account.
    Fix: List the account root, and the role of a session, beside them.
everyone-without-condition (error)
    Principal * without a condition, and no Deny for strangers: every AWS account in the world may send from the
    identity.
    Fix: Name the accounts, users or roles that may; or add a condition such as StringEquals on aws:PrincipalOrgID.
everyone-not-narrowed (warning)
    Principal * with conditions on the message only: every AWS account in the world may send such messages.
    Fix: Name the accounts, users or roles that may; or add a condition such as StringEquals on aws:PrincipalOrgID.
service-without-source (warning)
    A service that is allowed without a condition sends for whichever of its customers asks.
    Fix: Add StringEquals on aws:SourceAccount, or ArnLike on aws:SourceArn.
principal-not-for-ses (warning)
    Federated and CanonicalUser principals never ask SES to send, nor does a Service that is not named as services are:
    cognito-idp.amazonaws.com.
    Fix: Name an account, user or role under AWS, or the service by its name.
account-principal (note)
    An account principal leaves it to that account's administrators who of it may send. The relay cannot see their
    policies: it counts such a statement only for a delegate with role_arn (SES checks the rest) or with account_grant =
    true (you vouch for it).
    Fix: Name the user or role of the delegate, or set one of the two for the delegate.
session-principal (note)
    The ARN of a session names that session only: who assumes the role under another session name may not send.
    Fix: Name the role, which covers all of its sessions.

# Actions

bad-action (error)
    An action is * or service:Name.
    Fix: Write ses:SendRawEmail.
unknown-action (error)
    SES has no such action; those of other services have no place in a policy of SES.
    Fix: Write an action of SES: ses:SendRawEmail, ses:Send*.
action-not-for-identities (warning)
    SES has this action, but not among those that it lists for policies of identities.
    Fix: Give it by an IAM policy of the user or role.
no-raw-sending (warning)
    Mail that comes by SMTP is sent with SendRawEmail, which the statement leaves out: an Allow then lets nobody send by
    SMTP, a Deny lets everybody.
    Fix: Add ses:SendRawEmail.
all-actions (warning)
    A wildcard that covers more than sending: its principals may change or delete the identity and its policies.
    Fix: Write ["ses:SendEmail", "ses:SendRawEmail"], or ses:Send*.
management-only (note)
    A statement on managing the identity; it says nothing about sending, and the relay passes it over.
    Fix: Nothing, if that is meant.

# Resources

resource-not-identity (error)
    Resource is exactly the ARN of the identity that the policy is attached to.
    Fix: Write arn:aws:ses:REGION:ACCOUNT:identity/NAME of this identity.
several-resources (error)
    A policy is attached to one identity: a statement has one resource, and all statements the same.
    Fix: Put a policy on each identity.

# Condition keys

unknown-key (error)
    SES refuses a condition key that it does not know; the key would never be there.
    Fix: Correct the spelling.
key-case (error)
    IAM does not heed the case of keys, but SES was seen to refuse a policy for it (Unknown or unapplicable condition
    field 'AWS:SourceAccount').
    Fix: Spell the key as the documentation does.
key-never-sent (error)
    The key is never there when mail is sent: what compares with it never holds, what compares negatively always.
    Fix: Take the condition out, or name a key of sending.
key-of-services (error)
    aws:SourceAccount, aws:SourceArn and their like are there only when a service of AWS sends on behalf of a resource;
    users and roles never send with them.
    Fix: Name the delegate's account as principal, or compare aws:PrincipalAccount or aws:PrincipalOrgID.
key-not-over-smtp (warning)
    The key is there only when the delegate calls the newest API itself; over SMTP it never is.
    Fix: Take the condition out for delegates that use the relay.
undocumented-key (note)
    SES's guide names eight keys of all AWS, and uses three more in examples; whether it takes this one is not
    documented.
    Fix: Put the policy to a test identity first.
key-unknown-to-relay (note)
    SES will see something under this key that the relay cannot know unless its settings tell. Until then an Allow by it
    counts for nobody, and a Deny for everybody.
    Fix: Make the key known to the relay.

# Operators

unknown-operator (error)
    There is no such operator.
    Fix: Correct the spelling.
operator-case (warning)
    The operator is spelt in another case than in the documentation; whether SES minds is not documented.
    Fix: Spell it as the documentation does.
empty-condition (warning)
    A Condition without operators restricts nothing.
    Fix: Say what it restricts, or take it out.
operator-key-mismatch (error)
    The operator compares another kind of value than the key holds: it never holds, its negation always.
    Fix: Take an operator of the key's kind.
odd-operator (warning)
    The operator compares the text of a value that has an operator of its own kind.
    Fix: Take the operator of the key's kind.
multi-without-set-operator (warning)
    The key holds many values, and AWS does not say what an operator means for them without ForAllValues or ForAnyValue.
    The relay wants both readings to allow.
    Fix: Write ForAllValues: in an Allow, ForAnyValue: in a Deny.
needless-set-operator (warning)
    ForAllValues and ForAnyValue are for comparisons with keys of many values. On any other, ForAllValues holds when the
    key is absent.
    Fix: Write the operator without it.
forallvalues-without-null (warning)
    ForAllValues holds when the key is absent or empty; AWS warns against it in an Allow without a guard.
    Fix: Add "Null": {"KEY": "false"} to the Condition.
one-recipient-is-enough (warning)
    ForAnyValue on recipients in an Allow is content with one: a message to it may go to any others as well.
    ForAllValues in a Deny wants them all: one other recipient lifts it.
    Fix: Write ForAllValues: in an Allow, ForAnyValue: in a Deny.
negated-when-absent (note)
    A negated operator holds when the key is absent, as it may be.
    Fix: Add "Null": {"KEY": "false"} if that is not meant.

# Values

unreadable-value (error)
    The operator cannot read the value. In an Allow it allows nothing; a Deny by it denies whatever it may mean, or
    makes the policy unreadable.
    Fix: Write a value of the operator's kind.
regex-habit (warning)
    The pattern looks like a regular expression. Like-operators know * (any run) and ? (any one character); everything
    else stands for itself.
    Fix: Write * where .* was meant.
like-without-wildcard (warning)
    A Like-operator without a wildcard compares exactly; it does not search.
    Fix: Write *text* for a part of the value, or an Equals-operator for the whole.
wildcard-under-equals (warning)
    StringEquals knows no wildcards: the star stands for itself, which hardly any address or ARN holds.
    Fix: Write StringLike.
matches-anything (note)
    The pattern * matches whatever the key holds: the condition asks only whether the key is there.
    Fix: Take it out, or narrow it.
redundant-value (note)
    Another value of the same list covers this one already.
    Fix: Take it out; policies are short of room.
variable-before-2012 (error)
    Variables live in Version 2012-10-17 only; in this policy they are plain text.
    Fix: Write "Version": "2012-10-17".
variable-of-many (error)
    A key of many values cannot be a variable.
    Fix: Compare the key itself, with ForAllValues or ForAnyValue.
not-an-address (error)
    The key holds a bare address, and no address is or matches this.
    Fix: Write local@domain, without a name and without angle brackets; *@example.com for a whole domain.
upper-case-domain (warning)
    Comparison heeds case, and the relay sends envelope domains in lower case; an author's must be allowed in lower case
    as well as in the case that it is written in.
    Fix: Write the domain in lower case.
address-outside-identity (warning)
    The identity of this policy does not cover the author's address, so mail from it asks another identity. This one is
    asked only if bounces go to it, and the statement has no condition on ses:FeedbackAddress that would say so.
    Fix: Check the spelling; or put the statement on the identity of that address.
private-source-ip (warning)
    aws:SourceIp is the public address that SES is called from, the relay's and never that of an SMTP client. A private
    address is never seen there.
    Fix: Name the relay's public addresses, or compare aws:VpcSourceIp.
date-past (warning)
    The time until which the statement is for has passed.
    Fix: Take the statement out, or move the date.

# Whole statements

never-holds (error)
    Conditions of one statement contradict each other: it never applies.
    Fix: For alternatives write one list of values, or several statements.
shadowed-by-deny (warning)
    A Deny covers everything that the statement allows: it never counts.
    Fix: Narrow the Deny, or take the statement out. To suspend somebody is a good reason to leave it so for a while.
redundant-statement (note)
    Another statement allows, or denies, everything that this one does.
    Fix: Take it out.
"""

_RULE: Final = re.compile(r"^(?P<code>[a-z0-9-]+) \((?P<severity>[a-z]+)\)\n(?P<told>(?: {4}.+\n)+)", re.MULTILINE)


def _chapters() -> Iterator[tuple[str, tuple[Rule, ...]]]:
    for chapter in _TABLE.split("\n# ")[1:]:
        title, _, rules = chapter.partition("\n")
        yield title, tuple(map(_rule, _RULE.finditer(rules)))


def _rule(found: re.Match[str]) -> Rule:
    means, _, fix = " ".join(found["told"].split()).partition(" Fix: ")
    return Rule(found["code"], Severity(found["severity"]), means, fix)


#: The chapters of the reference.
CHAPTERS: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(dict(_chapters()))

#: Every rule by its code, in the order of the reference.
RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.code: rule for rules in CHAPTERS.values() for rule in rules})

"""
Every kind of finding. ``docs/reference/lint.md`` is written from this table.

What SES refuses: SES Developer Guide, "Policy anatomy" and "Sending authorization policies"; PutIdentityPolicy in the
SES API Reference. How policies are judged: IAM User Guide, "IAM JSON policy elements reference".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from relay.policy.lint.findings import Rule, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def _refused(code: str, means: str, fix: str) -> Rule:
    return Rule(code, _ERROR, means, fix, refused=True)


def _error(code: str, means: str, fix: str) -> Rule:
    return Rule(code, _ERROR, means, fix)


def _warning(code: str, means: str, fix: str) -> Rule:
    return Rule(code, _WARNING, means, fix)


def _note(code: str, means: str, fix: str) -> Rule:
    return Rule(code, _NOTE, means, fix)


_FILES: Final = (
    _error(
        "unreadable-file",
        "The file cannot be read, or is no file, or far larger than any policy. The relay takes a policy that it cannot"
        " read for a Deny that might be there: nobody may send from the identity.",
        "Make it readable for the relay, or take it out of the folder.",
    ),
    _refused(
        "not-utf8",
        "A policy is text in UTF-8.",
        "Save the file as UTF-8.",
    ),
    _error(
        "stray-file",
        "A file in the folder of an identity that is named as no policy is. A policy might be meant, so the relay lets"
        " nobody send from the identity.",
        "Name it NAME.json, NAME of 1 to 64 letters, digits, - and _; or put a dot before what is no policy.",
    ),
    _warning(
        "stray-folder",
        "A policy under a folder whose name is no account, region or identity: the relay passes it over.",
        "Lay policies out as ACCOUNT/REGION/IDENTITY/POLICY-NAME.json.",
    ),
)

_TEXT: Final = (
    _refused(
        "too-large",
        "SES takes policies of at most 4 KB; here: 4,096 bytes of UTF-8, blanks included.",
        "Write it without blanks, say more with one wildcard, or split it: an identity takes 20 policies.",
    ),
    _refused(
        "policy-name",
        "The name of a policy is 1 to 64 letters, digits, hyphens and underscores.",
        "Rename it.",
    ),
    _refused(
        "too-many-policies",
        "An identity takes at most 20 policies.",
        "Put several statements into one policy; a statement may name several principals.",
    ),
    _refused(
        "not-json",
        "The text is not JSON.",
        "Correct it where the finding points.",
    ),
    _refused(
        "duplicate-key",
        "A key stands twice in one object. Readers keep one of the two, and not all the same one.",
        "Keep one of them; for several values write one key with a list.",
    ),
    _refused(
        "unreadable",
        "Something else that the grammar of policies does not know. The relay answers 451 as long as it stands there.",
        "See the grammar of the IAM JSON policy language.",
    ),
)

_ELEMENTS: Final = (
    _refused(
        "unknown-element",
        "A policy has Version, Id and Statement; a statement Sid, Effect, Principal, Action, Resource and Condition.",
        "Correct the spelling, or take it out.",
    ),
    _refused(
        "missing-element",
        "A policy needs a Statement, a statement needs Effect, Principal, Action and Resource.",
        "Add what is missing.",
    ),
    _refused(
        "exclusive-elements",
        "An element and its Not- form exclude each other.",
        "Keep one of the two.",
    ),
    _refused(
        "bad-effect",
        "Effect is Allow or Deny, spelt so.",
        'Write "Allow" or "Deny".',
    ),
    _refused(
        "bad-version",
        "Version is the version of the policy language, not of your policy: there are 2012-10-17 and 2008-10-17.",
        'Write "Version": "2012-10-17".',
    ),
    _note(
        "old-version",
        "Without Version, or with 2008-10-17, the policy has no variables.",
        'Write "Version": "2012-10-17", which SES recommends.',
    ),
    _refused(
        "notresource",
        "A policy of SES names the one identity that it is attached to; NotResource names every other.",
        "Write Resource, and the ARN of the identity.",
    ),
    _warning(
        "undocumented-element",
        "NotAction and NotPrincipal are part of IAM's grammar but not of the elements that SES lists; whether SES takes"
        " them is not documented.",
        "Say with Action and Principal whom and what you mean.",
    ),
    _warning(
        "duplicate-sid",
        "Two statements of a policy with the same Sid: explanations and logs cannot tell them apart.",
        "Give each its own.",
    ),
)

_PRINCIPALS: Final = (
    _refused(
        "no-principal",
        "A statement needs at least one principal.",
        "Name an account, user or role.",
    ),
    _refused(
        "principal-form",
        "Principal is * or an object that says of which type the names are.",
        'Write "Principal": {"AWS": ...}.',
    ),
    _refused(
        "principal-type",
        "Principals are of type AWS, Service, Federated or CanonicalUser, spelt so.",
        'Write {"AWS": ...} for accounts, users and roles.',
    ),
    _refused(
        "principal-wildcard",
        "Wildcards do not work inside the ARN of a principal; * stands alone, for everyone.",
        "Name each user or role; or name the account and narrow it by a condition with ArnLike on aws:PrincipalArn.",
    ),
    _refused(
        "bad-principal",
        "The text names nobody.",
        "Write an account of 12 digits, or the whole ARN of an account root, a user, a role or a session.",
    ),
    _error(
        "principal-deleted",
        "An id such as AIDA... or AROA... is what is left of a user or role that was deleted. It matches nobody, not"
        " even a new one of the same name.",
        "Name the new user or role by its ARN, or take the entry out.",
    ),
    _error(
        "principal-partition",
        "Nobody of one partition of AWS (aws, aws-cn, aws-us-gov) can use an identity in another.",
        "Name a principal of the identity's partition.",
    ),
    _refused(
        "notprincipal-allow",
        "NotPrincipal with Allow would let everyone else send; AWS does not support it.",
        "Name with Principal who may.",
    ),
    _warning(
        "notprincipal-incomplete",
        "A Deny with NotPrincipal spares only those of whom every identity is listed: for a user or role its account as"
        " well, for a session its role and account.",
        "List the account root, and the role of a session, beside them.",
    ),
    _warning(
        "everyone-without-condition",
        "Principal * without a condition: every AWS account in the world may send from the identity.",
        "Name the accounts, users or roles that may; or add a condition such as StringEquals on aws:PrincipalOrgID.",
    ),
    _warning(
        "everyone-not-narrowed",
        "Principal * with conditions on the message only: every AWS account in the world may send such messages.",
        "Name the accounts, users or roles that may; or add a condition such as StringEquals on aws:PrincipalOrgID.",
    ),
    _warning(
        "bad-service",
        "The principal of a service looks like cognito-idp.amazonaws.com.",
        "See the documentation of the service for its principal.",
    ),
    _warning(
        "service-without-source",
        "A service that is allowed without a condition sends for whichever of its customers asks.",
        "Add StringEquals on aws:SourceAccount, or ArnLike on aws:SourceArn.",
    ),
    _warning(
        "principal-not-for-ses",
        "Federated and CanonicalUser principals never ask SES to send.",
        "Name an account, user or role under AWS.",
    ),
    _note(
        "account-principal",
        "An account principal leaves it to that account's administrators who of it may send. The relay cannot see their"
        " policies: it counts such a statement only for a delegate with role_arn (SES checks the rest) or with"
        " account_grant = true (you vouch for it).",
        "Name the user or role of the delegate, or set one of the two for the delegate.",
    ),
    _note(
        "session-principal",
        "The ARN of a session names that session only: who assumes the role under another session name may not send.",
        "Name the role, which covers all of its sessions.",
    ),
)

_ACTIONS: Final = (
    _refused(
        "bad-action",
        "An action is * or service:Name.",
        "Write ses:SendRawEmail.",
    ),
    _refused(
        "unknown-action",
        "SES has no such action.",
        "Correct the spelling.",
    ),
    _refused(
        "foreign-action",
        "An action of another service has no place in a policy of SES.",
        "Write actions that begin with ses:.",
    ),
    _warning(
        "action-not-for-identities",
        "SES has this action, but not among those that it lists for policies of identities.",
        "Give it by an IAM policy of the user or role.",
    ),
    _warning(
        "no-raw-sending",
        "Mail that comes by SMTP is sent with SendRawEmail; this statement allows other ways to send only.",
        "Add ses:SendRawEmail.",
    ),
    _warning(
        "deny-misses-raw",
        "A Deny of sending that leaves SendRawEmail out: by SMTP its principals send all the same.",
        "Deny ses:Send*.",
    ),
    _warning(
        "all-actions",
        "A wildcard that covers more than sending: its principals may change or delete the identity and its policies.",
        'Write ["ses:SendEmail", "ses:SendRawEmail"], or ses:Send*.',
    ),
    _note(
        "management-only",
        "A statement on managing the identity; it says nothing about sending, and the relay passes it over.",
        "Nothing, if that is meant.",
    ),
)

_RESOURCES: Final = (
    _refused(
        "resource-not-identity",
        "Resource is exactly the ARN of the identity that the policy is attached to.",
        "Write arn:aws:ses:REGION:ACCOUNT:identity/NAME of this identity.",
    ),
    _refused(
        "several-resources",
        "A statement of a policy of SES has one resource.",
        "Put a policy on each identity.",
    ),
    _refused(
        "resources-differ",
        "Statements of one policy name different identities, but a policy is attached to one.",
        "Put a policy on each identity.",
    ),
)

_KEYS: Final = (
    _refused(
        "unknown-key",
        "SES refuses a condition key that it does not know; as the key of a condition it would never be there.",
        "Correct the spelling.",
    ),
    _refused(
        "key-case",
        "IAM does not heed the case of keys, but SES was seen to refuse a policy for it (Unknown or unapplicable"
        " condition field 'AWS:SourceAccount').",
        "Spell the key as the documentation does.",
    ),
    _error(
        "key-never-sent",
        "The key is never there when mail is sent: what compares with it never holds, what compares negatively always.",
        "Take the condition out, or name a key of sending.",
    ),
    _error(
        "key-of-services",
        "aws:SourceAccount, aws:SourceArn and their like are there only when a service of AWS sends on behalf of a"
        " resource; users and roles never send with them.",
        "Name the delegate's account as principal, or compare aws:PrincipalAccount or aws:PrincipalOrgID.",
    ),
    _warning(
        "key-not-over-smtp",
        "The key is there only when the delegate calls the newest API itself; over SMTP it never is.",
        "Take the condition out for delegates that use the relay.",
    ),
    _note(
        "undocumented-key",
        "SES's guide names eight keys of all AWS, and uses three more in examples; whether it takes this one is not"
        " documented.",
        "Put the policy to a test identity first.",
    ),
    _warning(
        "deny-on-unknown-key",
        "The relay cannot know what SES will see under this key, so its Deny counts whatever it holds.",
        "Make the key known to the relay, or deny by something that the message tells.",
    ),
    _note(
        "allow-on-unknown-key",
        "The relay cannot know what SES will see under this key, so the Allow counts for nobody until it is told.",
        "Make the key known to the relay.",
    ),
)

_OPERATORS: Final = (
    _refused(
        "unknown-operator",
        "There is no such operator.",
        "Correct the spelling.",
    ),
    _warning(
        "operator-case",
        "The operator is spelt in another case than in the documentation; whether SES minds is not documented.",
        "Spell it as the documentation does.",
    ),
    _warning(
        "empty-condition",
        "A Condition without operators restricts nothing.",
        "Say what it restricts, or take it out.",
    ),
    _error(
        "operator-key-mismatch",
        "The operator compares another kind of value than the key holds: it never holds, its negation always.",
        "Take an operator of the key's kind.",
    ),
    _warning(
        "odd-operator",
        "The operator compares the text of a value that has an operator of its own kind.",
        "Take the operator of the key's kind.",
    ),
    _warning(
        "multi-without-set-operator",
        "The key holds many values, and AWS does not say what an operator means for them without ForAllValues or"
        " ForAnyValue. The relay wants both readings to allow.",
        "Write ForAllValues: in an Allow, ForAnyValue: in a Deny.",
    ),
    _warning(
        "set-operator-on-single",
        "ForAllValues and ForAnyValue are for keys of many values. On any other, ForAllValues holds when the key is"
        " absent.",
        "Write the operator without it.",
    ),
    _warning(
        "set-operator-on-null",
        "Null takes no set operator.",
        "Write Null alone.",
    ),
    _warning(
        "forallvalues-without-null",
        "ForAllValues holds when the key is absent or empty; AWS warns against it in an Allow without a guard.",
        'Add "Null": {"KEY": "false"} to the Condition.',
    ),
    _warning(
        "allow-foranyvalue",
        "ForAnyValue in an Allow is content with one value: one recipient of the kind lets the message go to any"
        " others.",
        "Write ForAllValues:, and a Null guard.",
    ),
    _warning(
        "deny-forallvalues",
        "ForAllValues in a Deny wants every value: one recipient of another kind lifts the Deny.",
        "Write ForAnyValue:.",
    ),
    _note(
        "negated-when-absent",
        "A negated operator holds when the key is absent, as it may be.",
        'Add "Null": {"KEY": "false"} if that is not meant.',
    ),
)

_VALUES: Final = (
    _error(
        "unreadable-value",
        "The operator cannot read the value. In an Allow it allows nothing; in a Deny it makes the policy unreadable.",
        "Write a value of the operator's kind.",
    ),
    _warning(
        "regex-habit",
        "The pattern looks like a regular expression. Like-operators know * (any run) and ? (any one character);"
        " everything else stands for itself.",
        "Write * where .* was meant.",
    ),
    _warning(
        "like-without-wildcard",
        "A Like-operator without a wildcard compares exactly; it does not search.",
        "Write *text* for a part of the value, or an Equals-operator for the whole.",
    ),
    _error(
        "wildcard-under-equals",
        "StringEquals knows no wildcards: the star stands for itself, and no value of this key holds one.",
        "Write StringLike.",
    ),
    _note(
        "matches-anything",
        "The pattern * matches whatever the key holds: the condition asks only whether the key is there.",
        "Take it out, or narrow it.",
    ),
    _note(
        "redundant-value",
        "Another value of the same list covers this one already.",
        "Take it out; policies are short of room.",
    ),
    _error(
        "variable-before-2012",
        "Variables live in Version 2012-10-17 only; in this policy they are plain text.",
        'Write "Version": "2012-10-17".',
    ),
    _error(
        "variable-of-many",
        "A key of many values cannot be a variable.",
        "Compare the key itself, with ForAllValues or ForAnyValue.",
    ),
    _error(
        "not-an-address",
        "The key holds a bare address, and no address is or matches this.",
        "Write local@domain, without a name and without angle brackets; *@example.com for a whole domain.",
    ),
    _warning(
        "upper-case-domain",
        "Comparison heeds case, and the relay judges domains in lower case.",
        "Write the domain in lower case.",
    ),
    _warning(
        "address-outside-identity",
        "The identity of this policy does not cover the address, so mail from it asks another identity.",
        "Check the spelling; or put the statement on the identity of that address.",
    ),
    _warning(
        "private-source-ip",
        "aws:SourceIp is the public address that SES is called from, the relay's and never that of an SMTP client. A"
        " private address is never seen there.",
        "Name the relay's public addresses, or compare aws:VpcSourceIp.",
    ),
    _warning(
        "date-past",
        "The time until which the statement is for has passed.",
        "Take the statement out, or move the date.",
    ),
)

_STATEMENTS: Final = (
    _error(
        "never-holds",
        "Conditions of one statement contradict each other: it never applies.",
        "For alternatives write one list of values, or several statements.",
    ),
    _error(
        "shadowed-by-deny",
        "A Deny covers everything that the statement allows: it never counts.",
        "Narrow the Deny, or take the statement out.",
    ),
    _note(
        "redundant-statement",
        "Another statement allows, or denies, everything that this one does.",
        "Take it out.",
    ),
)

#: Every rule by its code, in the order of the reference.
RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        rule.code: rule
        for group in (
            _FILES,
            _TEXT,
            _ELEMENTS,
            _PRINCIPALS,
            _ACTIONS,
            _RESOURCES,
            _KEYS,
            _OPERATORS,
            _VALUES,
            _STATEMENTS,
        )
        for rule in group
    }
)

#: The chapters of the reference.
CHAPTERS: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(
    {
        "Files and folders": _FILES,
        "The text": _TEXT,
        "Elements": _ELEMENTS,
        "Principals": _PRINCIPALS,
        "Actions": _ACTIONS,
        "Resources": _RESOURCES,
        "Condition keys": _KEYS,
        "Operators": _OPERATORS,
        "Values": _VALUES,
        "Whole statements": _STATEMENTS,
    }
)

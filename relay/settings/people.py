"""Who may send: ``[[delegate]]`` and ``[delegates]``."""

from typing import Literal

from relay.settings.forms import (
    Algorithm,
    Argon2,
    CertificateId,
    Count,
    Duration,
    Endpoint,
    ExternalId,
    FilePath,
    Flag,
    Identity,
    IdentityArn,
    Instant,
    Name,
    Network,
    Organization,
    Principal,
    Rate,
    ReturnPath,
    Role,
    SecretId,
    SecretPath,
    Tags,
    Text,
    ThresholdTable,
)
from relay.settings.keys import Section, option, required
from relay.words.delegates import Delegate
from relay.words.roles import AssumedRole, session_of


class DelegateSettings(Section):
    """One application that may send: how it proves itself, who it is to AWS, and what it may leave unsaid."""

    name: Name = required("The user name of AUTH, and the name in logs and metrics.", "billing")
    principal: Principal | None = option(
        "Who it is to the policies: the ARN of a user, role or session, an account, a service, or "
        '"caller" for the relay\'s own identity, asked of STS at start. With role_arn it is left out.',
        default=None,
    )
    password_hash: Argon2 | None = option(
        "The argon2 hash of its password, made by `ses-relay delegate hash`; or a list of them, which are right at "
        "the same time, while a password is changed.",
        default=None,
    )
    password_file: SecretPath | None = option(
        "A file with its password or the argon2 hash of it, or with several, one a line; read again when it changes.",
        default=None,
    )
    password_secret: SecretId | None = option(
        "The name or ARN of a secret in AWS Secrets Manager that holds its password. The versions AWSCURRENT and "
        "AWSPENDING are right, and AWSPREVIOUS for a day after a rotation.",
        default=None,
    )
    client_certificates: tuple[CertificateId, ...] = option(
        "Client certificates that are this delegate, each signed by tls.client_ca and known by one name: its SHA-256 "
        "fingerprint, a host, an address or a URI among its alternative names, or its common name. By AUTH EXTERNAL; "
        "and without AUTH on listeners with require_auth = false.",
        default=[],
    )
    allowed_networks: tuple[Network, ...] = option(
        "AUTH is accepted only from here. Empty: from everywhere.", default=[]
    )
    trusted_networks: tuple[Network, ...] = option(
        "Clients from here are this delegate without AUTH, on listeners with require_auth = false. The "
        "longest prefix of all delegates wins.",
        default=[],
    )
    role_arn: Role | None = option(
        "A role that the relay assumes to send as this delegate, in a session named ses-relay-NAME, which is then its "
        "principal: SES judges the delegate, too, and counts quota, bounces and the bill for the role's account. While "
        "it cannot be assumed the delegate's mail waits; it never goes with the relay's own credentials.",
        default=None,
    )
    external_id: ExternalId | None = option("The external id that the trust policy of role_arn asks for.", default=None)
    account_grant: Flag = option(
        "Whether a statement that grants the delegate's whole account counts. It speaks to that account's "
        "administrators, whose own policies the relay cannot see: with true you vouch for the delegate.",
        default=False,
    )
    mode: Literal["enforce", "observe"] | None = option(
        "observe forwards and logs what the policies would have refused. Unset: as [authorization] says.", default=None
    )
    observe_until: Instant | None = option(
        "When observing ends by itself, such as 2027-01-31T00:00:00Z. Unset: as [authorization] says.", default=None
    )
    same_account: Literal["policy", "allow-unless-denied"] = option(
        "For a delegate in the owner's own account: ask the policies like for any other; or, for "
        "allow_identities, allow what they do not deny, because IAM in that account lets it send.",
        default="policy",
    )
    allow_identities: tuple[Identity, ...] = option(
        'With same_account = "allow-unless-denied": the identities it covers, by exact name or ARN.', default=[]
    )
    default_source_arn: IdentityArn | None = option(
        "The identity for its mail when the message names none in X-SES-SOURCE-ARN.", default=None
    )
    default_from_arn: IdentityArn | None = option("The same for the author, as X-SES-FROM-ARN.", default=None)
    default_return_path_arn: IdentityArn | None = option(
        "The same for the feedback address, as X-SES-RETURN-PATH-ARN.", default=None
    )
    allow_source_arns: tuple[IdentityArn, ...] = option(
        "The only identities it may use, whatever policies say. Empty: no such bound.", default=[]
    )
    return_path: ReturnPath = option(
        "Where bounces go: to MAIL FROM; to the author; or to one address that replaces MAIL FROM before "
        "anything is judged, for software that sends as www-data@host.",
        default="envelope",
    )
    configuration_set: Name | None = option("The SES configuration set of its mail.", default=None)
    allow_configuration_sets: tuple[Name, ...] = option(
        "Others that a message may ask for in X-SES-CONFIGURATION-SET.", default=[]
    )
    allow_message_tags: Flag = option("Whether a message may set tags in X-SES-MESSAGE-TAGS.", default=False)
    tenant: Name | None = option(
        "The SES tenant of its mail. Only SendEmail of v2 has a word for it, so policies must allow ses:SendEmail too.",
        default=None,
    )
    allow_tenants: tuple[Name, ...] = option("Others that a message may ask for in X-SES-TENANT.", default=[])
    organization_id: Organization | None = option(
        "Its AWS organization, for policies that ask aws:PrincipalOrgID. Unset: unknown, and no such Allow counts.",
        default=None,
    )
    principal_tags: Tags = option("Its tags in IAM, for policies that ask aws:PrincipalTag/NAME.", default={})
    repair: tuple[Literal["bare-lf", "8bit-names", "long-lines", "missing-headers"], ...] = option(
        "What to repair in messages of old software before they are judged (docs/how-to/old-software.md).", default=[]
    )
    rate: Rate | None = option('The most recipients in a time, such as "20/s". Unset: no limit.', default=None)
    daily_recipients: Count | None = option("The most recipients in a day. Unset: no limit.", default=None, ge=1)
    bounce_rate: ThresholdTable | None = option(
        "From which rates of bounces it is warned of, slowed, or suspended. Unset: as [feedback] says.", default=None
    )
    complaint_rate: ThresholdTable | None = option("The same for complaints.", default=None)
    reveal: Literal["reason", "full"] | None = option(
        "What a refusal tells this delegate. Unset: as [authorization] says.", default=None
    )

    @property
    def role(self) -> AssumedRole | None:
        """The role that its mail is sent as; None for the relay's own credentials."""
        return None if self.role_arn is None else AssumedRole(self.role_arn, session_of(self.name), self.external_id)

    @property
    def known_principal(self) -> str | None:
        """Who it is to AWS; None where only STS can tell, because it is the relay itself."""
        if self.role is not None:
            return self.role.principal
        return None if self.principal == "caller" else self.principal

    def to_delegate(self, caller: str | None = None) -> Delegate:
        """
        Make the delegate the judge knows.

        Args:
            caller: The relay's own ARN as STS told it, for ``principal = "caller"``.

        Raises:
            ValueError: No principal, or the caller's is wanted and not given.
        """
        principal = caller if self.principal == "caller" else self.known_principal
        if principal is None:
            raise ValueError(f"the principal of delegate {self.name} is not known")
        return Delegate(
            name=self.name,
            principal=principal,
            role=self.role,
            is_caller=self.principal == "caller",
            account_grant=self.account_grant,
            mode=self.mode,
            observe_until=self.observe_until,
            same_account=self.same_account,
            allow_identities=self.allow_identities,
            default_source_arn=self.default_source_arn,
            default_from_arn=self.default_from_arn,
            default_return_path_arn=self.default_return_path_arn,
            allow_source_arns=self.allow_source_arns,
            return_path=self.return_path,
            configuration_set=self.configuration_set,
            allow_configuration_sets=self.allow_configuration_sets,
            allow_message_tags=self.allow_message_tags,
            tenant=self.tenant,
            allow_tenants=self.allow_tenants,
            organization_id=self.organization_id,
            principal_tags=dict(self.principal_tags),
            repair=self.repair,
            daily_recipients=self.daily_recipients,
            reveal=self.reveal,
        )


class OauthSettings(Section):
    """An issuer of bearer tokens (AUTH OAUTHBEARER and XOAUTH2, under TLS only) that are delegates'."""

    issuer: Text = required("The iss of its tokens, to the letter.", "https://login.example.com")
    audience: Text = required("What the aud of a token must name: us, and nobody else.", "ses-relay")
    jwks_url: Endpoint = required("Where its public keys are.", "https://login.example.com/keys")
    ca: FilePath | None = option(
        "Certificates, PEM, that sign the one of jwks_url. Unset: those that the system trusts.", default=None
    )
    algorithms: tuple[Algorithm, ...] = option(
        "The signatures that are taken, by key pairs only.", default=["RS256", "PS256", "ES256"]
    )
    claim: Text = option("The claim that names the delegate.", default="sub")
    names: Tags = option(
        "Values of the claim and the delegates that they are; others are nobody. Empty: the value is the delegate's "
        "own name.",
        default={},
    )


class DelegatesSettings(Section):
    """Delegates that are kept in files of their own."""

    file: FilePath | None = option("A TOML file with further [[delegate]] tables; read again on SIGHUP.", default=None)
    htpasswd: SecretPath | None = option(
        "A file of NAME:HASH lines, as `htpasswd -B` writes it, with passwords of delegates (bcrypt, SHA-crypt, "
        "yescrypt, argon2). It is read again when it changes; a broken one keeps the old, and is told.",
        default=None,
    )
    secrets_refresh_interval: Duration = option(
        "How often password_secret is looked at again: a rotated password is right after so long.",
        default="60s",
        ge=1,
        le=86400,
    )
    oauth: tuple[OauthSettings, ...] = option("Issuers of bearer tokens.", default=[])

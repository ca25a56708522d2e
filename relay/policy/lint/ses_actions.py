"""The actions of SES (SES Developer Guide, "Policy anatomy"; the operations of the SES API, v1 and v2)."""

from typing import Final

#: The action of mail that comes by SMTP.
RAW: Final = "ses:SendRawEmail"

#: Those that send, and that a policy of an identity may hold.
SENDING: Final = ("ses:SendEmail", RAW, "ses:SendTemplatedEmail", "ses:SendBulkTemplatedEmail")

_MANAGEMENT: Final = """
    BatchGetMetricData CancelExportJob CreateDeliverabilityTestReport CreateEmailIdentityPolicy CreateExportJob
    DeleteEmailIdentity DeleteEmailIdentityPolicy GetDomainStatisticsReport GetEmailIdentity GetEmailIdentityPolicies
    GetExportJob ListExportJobs ListRecommendations PutEmailIdentityConfigurationSetAttributes
    PutEmailIdentityDkimAttributes PutEmailIdentityDkimSigningAttributes PutEmailIdentityFeedbackAttributes
    PutEmailIdentityMailFromAttributes TagResource UntagResource UpdateEmailIdentityPolicy
"""

_OTHERS: Final = """
    AssociateEmailIdentityCertificate CloneReceiptRuleSet CreateConfigurationSet CreateConfigurationSetEventDestination
    CreateConfigurationSetTrackingOptions CreateContact CreateContactList CreateCustomVerificationEmailTemplate
    CreateDedicatedIpPool CreateEmailIdentity CreateEmailTemplate CreateImportJob CreateMultiRegionEndpoint
    CreateReceiptFilter CreateReceiptRule CreateReceiptRuleSet CreateTemplate CreateTenant
    CreateTenantResourceAssociation DeleteConfigurationSet DeleteConfigurationSetEventDestination
    DeleteConfigurationSetTrackingOptions DeleteContact DeleteContactList DeleteCustomVerificationEmailTemplate
    DeleteDedicatedIpPool DeleteEmailTemplate DeleteIdentity DeleteIdentityPolicy DeleteMultiRegionEndpoint
    DeleteReceiptFilter DeleteReceiptRule DeleteReceiptRuleSet DeleteSuppressedDestination DeleteTemplate DeleteTenant
    DeleteTenantResourceAssociation DeleteVerifiedEmailAddress DescribeActiveReceiptRuleSet DescribeConfigurationSet
    DescribeReceiptRule DescribeReceiptRuleSet DisassociateEmailIdentityCertificate GetAccount GetAccountSendingEnabled
    GetBlacklistReports GetConfigurationSet GetConfigurationSetEventDestinations GetContact GetContactList
    GetCustomVerificationEmailTemplate GetDedicatedIp GetDedicatedIpPool GetDedicatedIps
    GetDeliverabilityDashboardOptions GetDeliverabilityTestReport GetDomainDeliverabilityCampaign
    GetEmailAddressInsights GetEmailTemplate GetIdentityDkimAttributes GetIdentityMailFromDomainAttributes
    GetIdentityNotificationAttributes GetIdentityPolicies GetIdentityVerificationAttributes GetImportJob
    GetMessageInsights GetMultiRegionEndpoint GetReputationEntity GetSendQuota GetSendStatistics
    GetSuppressedDestination GetTemplate GetTenant ListConfigurationSets ListContactLists ListContacts
    ListCustomVerificationEmailTemplates ListDedicatedIpPools ListDeliverabilityTestReports
    ListDomainDeliverabilityCampaigns ListEmailIdentities ListEmailIdentityCertificates ListEmailTemplates
    ListIdentities ListIdentityPolicies ListImportJobs ListMultiRegionEndpoints ListReceiptFilters ListReceiptRuleSets
    ListReputationEntities ListResourceTenants ListSuppressedDestinations ListTagsForResource ListTemplates
    ListTenantResources ListTenants ListVerifiedEmailAddresses PutAccountDedicatedIpWarmupAttributes PutAccountDetails
    PutAccountPricingAttributes PutAccountSendingAttributes PutAccountSuppressionAttributes PutAccountVdmAttributes
    PutConfigurationSetArchivingOptions PutConfigurationSetDeliveryOptions PutConfigurationSetReputationOptions
    PutConfigurationSetSendingOptions PutConfigurationSetSuppressionOptions PutConfigurationSetTrackingOptions
    PutConfigurationSetVdmOptions PutDedicatedIpInPool PutDedicatedIpPoolScalingAttributes
    PutDedicatedIpWarmupAttributes PutDeliverabilityDashboardOption PutIdentityPolicy PutSuppressedDestination
    PutTenantSuppressionAttributes ReorderReceiptRuleSet ReplicateEmailIdentityDkimSigningKey SendBounce SendBulkEmail
    SendCustomVerificationEmail SetActiveReceiptRuleSet SetIdentityDkimEnabled SetIdentityFeedbackForwardingEnabled
    SetIdentityHeadersInNotificationsEnabled SetIdentityMailFromDomain SetIdentityNotificationTopic
    SetReceiptRulePosition TestRenderEmailTemplate TestRenderTemplate UpdateAccountSendingEnabled UpdateConfigurationSet
    UpdateConfigurationSetEventDestination UpdateConfigurationSetReputationMetricsEnabled
    UpdateConfigurationSetSendingEnabled UpdateConfigurationSetTrackingOptions UpdateContact UpdateContactList
    UpdateCustomVerificationEmailTemplate UpdateEmailTemplate UpdateReceiptRule
    UpdateReputationEntityCustomerManagedStatus UpdateReputationEntityPolicy UpdateTemplate VerifyDomainDkim
    VerifyDomainIdentity VerifyEmailAddress VerifyEmailIdentity
"""

#: Those that manage the identity, and that a policy of it may hold.
MANAGEMENT: Final = tuple(f"ses:{name}" for name in _MANAGEMENT.split())
#: Those that a policy of an identity may hold.
OF_IDENTITIES: Final = (*SENDING, *MANAGEMENT)
ALL: Final = (*OF_IDENTITIES, *(f"ses:{name}" for name in _OTHERS.split()))

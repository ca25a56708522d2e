"""What a policy says: the IAM policy language of resource policies, read and evaluated. Pure."""

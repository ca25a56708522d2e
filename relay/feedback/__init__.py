"""What AWS tells by itself, through SQS: the fate of mail, for each delegate; and that an owner changed a policy."""

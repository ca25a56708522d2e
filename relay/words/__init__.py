"""The words every room shares: addresses, ARNs, replies, reasons, and the record of one message."""

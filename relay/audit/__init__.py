"""The audit: changes of policies seen and kept with what operators did, exported in a chain of hashes, and verified."""

"""A person's own line in place of one of the rule's: read, checked, and what the rule gives."""

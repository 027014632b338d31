"""A session is a machine with what a person does to it: stepping, editing, running until."""

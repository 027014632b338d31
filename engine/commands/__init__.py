"""The language of the prompt: one list of commands, which every front end gives to a session."""

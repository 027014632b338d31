"""The history of a run: every state it was in, its branches, and the way back."""

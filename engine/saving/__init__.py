"""A session as a small text file: written whole, read with suspicion, and replayed bit for bit."""

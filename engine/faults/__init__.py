"""Faults of training, recognised as a run goes and named at the step where they first show."""

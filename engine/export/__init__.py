"""Exporting: a scenario as a script that needs no nnstep, or its numbers as a table."""

"""Verification: the gradients of a program against central differences of its loss."""

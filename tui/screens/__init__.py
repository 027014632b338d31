"""The screens: the debugger itself, the gallery, the help and the question for a new value."""

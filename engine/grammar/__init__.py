"""The one grammar of expressions: programs, conditions and watches are all parsed by it."""

"""Operations: one family, each with its value, its gradient rule and their text together."""

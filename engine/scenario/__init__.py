"""Reading a scenario file: from TOML to plain frozen values, every mistake with its place."""

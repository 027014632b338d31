"""Where samples come from: CSV and NPZ files, and generated sets."""

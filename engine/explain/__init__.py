"""Where a number comes from: a line as one would calculate it on paper."""

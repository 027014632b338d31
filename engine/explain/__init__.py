"""Where a number comes from: the code of a line, walked cell by cell instead of array by array."""

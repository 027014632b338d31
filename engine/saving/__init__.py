"""A session outlives its terminal: a text file of its commands, which lead to the same bits."""

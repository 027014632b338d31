"""What `nnstep` is told to do: a file for the subcommands of a kind."""

"""The command line: one file per group of commands. It parses and prints; what happens is decided below it."""

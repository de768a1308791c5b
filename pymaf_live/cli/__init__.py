"""Command line: one module per command, shared options, progress display."""

"""One measuring protocol a module; `trainer.evaluate` runs them and writes the table."""

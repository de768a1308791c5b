"""One measuring protocol a module; `trainer.evaluation.run` runs them and writes the table."""

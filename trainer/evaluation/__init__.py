"""Evaluation: one module per protocol; `run` runs them and writes the report."""

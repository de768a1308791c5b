"""Checks and measurements of this machine: doctor, benchmark, roofline, back-end comparison."""

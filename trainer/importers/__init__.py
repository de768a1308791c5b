"""What people already have: licensed bodies and published checkpoints."""

"""Export of takes: one module per format, rigs, verification by reading back."""

"""Writing takes into the formats of other programs."""

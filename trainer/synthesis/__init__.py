"""Renders images of synthetic people with exact ground truth: poses, clothes, places, light."""

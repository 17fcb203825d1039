"""Pretraining on samples of one's own without a recipe: it is chosen by looking at the data."""

"""Errors, checks, files and the terminal: what everything else stands on. Needs NumPy only."""

"""Benchmarks of training and of exported files: ``zoo benchmark``. Only the command imports this."""

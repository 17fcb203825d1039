"""Signals that come in sample by sample: windows and alarms, and where the samples are read from."""

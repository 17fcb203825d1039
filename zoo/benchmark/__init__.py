"""Benchmarks: how fast zoo trains beside its competitors, as ``zoo benchmark``. Only the command imports this."""

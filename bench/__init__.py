"""The benchmarks: each runs beside its peer in the same rounds, and is told as a ratio."""

"""Benchmarks: what the bridge costs, as ratios within one run. `make bench` runs them all."""

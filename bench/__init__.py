"""Phasegate's benchmarks: ``python -m bench``. Each figure is a ratio to a baseline of the same run."""

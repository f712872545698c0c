"""The panel itself, measured: programs with a control database of the benchmark's, each a process."""

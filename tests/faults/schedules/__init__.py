"""Random schedules of faults over the whole run: ``python -m tests.faults.schedules --faults 200``."""

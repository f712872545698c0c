"""What ``manage.py demo`` is made of: people, world, processes, the headless driver and its proof.

Together with the command this is the one place that knows both ``migration_runs`` and ``bars``.
"""

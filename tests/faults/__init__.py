"""Real kills of real processes: workers, broker, databases."""

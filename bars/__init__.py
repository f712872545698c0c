"""The bars system that the first runbook migrates: legacy world, feed, aggregator and signal engine."""

"""Live data migrations as signed-off, nine-phase runs: models, services, engine, workers, pages."""

"""Other tools that do the same work. Imported only where they are measured."""

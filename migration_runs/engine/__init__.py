"""The engine: knows SQL and PostgreSQL, and no Django model. A frozen job in, an outcome out."""

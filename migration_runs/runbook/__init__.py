"""Runbooks: folders of SQL and one TOML file, validated and frozen into plans."""

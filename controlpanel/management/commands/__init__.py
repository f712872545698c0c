"""Commands that know the whole project."""

"""Commands of the bars system."""

"""The move protocol: two tables kept equal while history is copied, callers switch and old rows retire."""

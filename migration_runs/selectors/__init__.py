"""Read-only queries for pages and the command line. They change nothing and know no template.

Each module answers one page: a constant number of queries in, frozen dataclasses (``views.py``) out.
"""

"""Read-only queries for pages and the command line. They change nothing and know no template.

Each module answers one page: a constant number of queries in, frozen dataclasses out (``…_views.py``). A
template never asks the database, and never decides whether somebody may do something: that has been
answered here, from the same rules that the services enforce.
"""

"""The documents that a migration team needs, made from the plan and the run each time somebody reads them.

A document is a tree of blocks (``blocks.py``). One module builds each; a template shows any of them as HTML,
``markdown.py`` writes any of them as Markdown, so that neither can say more than the other.
"""

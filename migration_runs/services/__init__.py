"""The only writers of control state: one verb, one transaction, one set of rules for whoever asks.

A verb checks who asks (``people``), what the rules say (the ``may_…`` function beside it), moves the
state machines (``moves``) and writes the audit trail (``audit``), all in one transaction; workers hear of
it after the commit. Whatever is refused is recorded in a transaction of its own (``verbs``).
"""

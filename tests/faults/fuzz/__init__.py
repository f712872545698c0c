"""A fuzz of the move protocol: many writers, killed copiers, and a judge that knows what must be there.

``python -m tests.faults.fuzz --seeds 40`` plays so many seeds; ``--seed 7`` plays that one again. The
seed fixes the tables, the route (how far the move goes, and whence it is rolled back), every writer's
statements, and how often workers are killed. How sessions interleave is the machine's: the same seed does
not meet the same races.

===============  ================================================================================
``form``         what a seed's tables look like, and the move between them
``tables``       these tables in a database, with history
``actions``      what a writer can say to either side
``writers``      the application: threads that write, and journal what they wrote
``journal``      the writes that were committed, when, and what else was answered
``judge``        whether what a table holds can follow from the journal; why that is sound is told there
``workers``      the engine in processes of its own, killed and replaced
``watch``        the drain, and the live comparison, all the while
``route``        one seed from the first writer to the last verdict, with the engine and without it
``variants``     the engine deliberately broken, to show that all this can fail
``tally``        the counts of all seeds, as text and as JSON
===============  ================================================================================
"""

"""Words of SQL that the lint has to tell apart from names."""

from __future__ import annotations

from pathlib import Path

VERBS = frozenset({"select", "insert", "update", "delete", "merge"})

# In these, FROM is an argument's separator: extract(epoch FROM x).
PAREN_WITH_FROM = frozenset(
    {"extract", "substring", "trim", "overlay", "position", "both", "leading", "trailing"}
)

# Words behind which a comma no longer separates the items of a FROM.
END_OF_FROM = frozenset(
    "where group having order limit offset fetch window union intersect except returning set for loop".split()
)

# Words that may follow an item of a FROM and are not its alias.
AFTER_ALIAS = frozenset(
    "where group having order limit offset fetch window union intersect except returning set select values for on using"
    " join inner left right full cross natural when tablesample do with loop then and or as default overriding".split()
)

# Words before a parenthesis that call nothing, or that PostgreSQL's grammar calls by itself.
NO_FUNCTION = frozenset(
    "all and any array as between by case cast check coalesce collate conflict cube default do else elsif end except exclude"
    " exists exit extract filter for foreign from full generated greatest group grouping having if ilike in include inherits"
    " inner intersect into is isnull join key lateral least like limit loop materialized not notnull nullif of offset on only"
    " or order over overlay partition perform position primary range return returning returns rollup row rows select set sets"
    " similar some substring table then to trim union unique update using values when where while window with within xor"
    " json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table"
    " json_value xmlagg xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlparse xmlserialize merge_action normalize"
    " bit char character dec decimal float interval nchar numeric time timestamp timestamptz timetz varbit varchar varying"
    " current_time current_timestamp localtime localtimestamp list hash raise constant record using call".split()
)

TRANSACTION_CONTROL = frozenset("begin commit rollback abort start end savepoint release prepare".split())


def _read_builtins() -> frozenset[str]:
    path = Path(__file__).with_name("builtin_functions.txt")
    return frozenset(
        line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
    )


BUILTIN_FUNCTIONS = _read_builtins()
"""PostgreSQL's own functions that runbooks may call."""

"""Template filter for the admin's own lists: each cell names its column, for phones, which show no heads."""

from __future__ import annotations

import re

from django import template
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ChangeList
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()

# As the admin writes a cell. What people typed is escaped inside of it, so it never reads as one.
CELL = re.compile(r'<td class="field-(\w+)')


@register.filter
def labelled(table: str, changelist: ChangeList) -> SafeString:
    """The table's HTML with `data-l`, the column's name, on each cell but the one that heads its row."""

    def cell(found: re.Match[str]) -> str:
        label = str(label_for_field(found[1], changelist.model, changelist.model_admin))
        return format_html('<td data-l="{}" class="field-{}', capfirst(label), found[1])

    # The HTML is the admin's own; the names put in are escaped.
    return mark_safe(CELL.sub(cell, table))  # noqa: S308

"""The form by which the audit trail is narrowed. It is sent by GET: an address holds the whole question."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django import forms
from django.contrib.auth.models import User

from migration_runs.selectors import trail, trail_pages
from migration_runs.selectors.trail_filter import TrailFilter

LARGEST = 2**63 - 1
PEOPLE = 500
ALL = "all"
Choices = list[tuple[str, str | list[tuple[str, str]]]]


class Moment(forms.DateTimeInput):
    """A browser's own picker of date and time; what it sends is read as UTC."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class TrailForm(forms.Form):
    """Run, person, action, from, to; and which page. Whatever is empty does not narrow."""

    run = forms.IntegerField(required=False, min_value=1, max_value=LARGEST, widget=forms.Select)
    person = forms.CharField(
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"list": "trail-people", "autocomplete": "off", "spellcheck": "false"}),
    )
    action = forms.CharField(required=False, max_length=60, widget=forms.Select)
    since = forms.DateTimeField(label="From, UTC", required=False, widget=Moment)
    until = forms.DateTimeField(label="Before, UTC", required=False, widget=Moment)
    before = forms.IntegerField(required=False, min_value=1, max_value=LARGEST, widget=forms.HiddenInput)
    after = forms.IntegerField(required=False, min_value=0, max_value=LARGEST, widget=forms.HiddenInput)

    def __init__(self, *args: Any, of_run: int | None = None, **kwargs: Any) -> None:
        """``of_run`` fixes the run; otherwise it may be chosen."""
        super().__init__(*args, **kwargs)
        self._run = of_run
        self._offer("action", _actions())
        if of_run is not None:
            del self.fields["run"]
        else:
            self._offer("run", [(str(run.id), run.name) for run in trail_pages.newest_runs()])

    def _offer(self, field: str, choices: Choices) -> None:
        """Choices of a select, what was asked for among them even if it is none of them."""
        asked = str(self.data.get(field, "")).strip()
        known = {value for value, _ in choices}
        known |= {value for _, inner in choices if isinstance(inner, list) for value, _ in inner}
        other = [(asked, asked)] if asked and asked not in known else []
        self.fields[field].widget.choices = [("", ALL), *other, *choices]

    def clean(self) -> dict[str, Any]:
        """A stretch of time ends after it begins."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = given.get("since"), given.get("until")
        if since and until and since >= until:
            self.add_error("until", "This is not after the beginning.")
        return given

    def filter(self) -> TrailFilter:
        """What was asked for; the form must be valid."""
        given = self.cleaned_data
        return TrailFilter(
            run=self._run or given.get("run"),
            person=given["person"],
            action=given["action"],
            since=given["since"],
            until=given["until"],
        )

    def people(self) -> list[str]:
        """Names that are offered while a person is typed."""
        return list(User.objects.order_by("username").values_list("username", flat=True)[:PEOPLE])


def _actions() -> Choices:
    """Every action that has a sentence, in groups; each group can be asked for as a whole."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for action in sorted(trail.SAID):
        group, _, verb = action.partition(".")
        groups[group].append((action, verb.replace("_", " ")))
    return [
        ("refused.", "refused: everything that was refused"),
        *(
            (group.replace("_", " "), [(f"{group}.", f"{group.replace('_', ' ')}: all"), *actions])
            for group, actions in groups.items()
        ),
    ]

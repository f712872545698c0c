"""The forms of the shift handover. They read what a person typed; every rule is the service's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User

from migration_runs.admin.forms import TEXT_LENGTH

MOMENT = {"placeholder": "2026-03-05 18:00", "autocomplete": "off"}


class NoteForm(forms.Form):
    """A note to whoever watches next."""

    text = forms.CharField(
        label="Note",
        max_length=TEXT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept on the audit trail; it cannot be changed or removed.",
    )


class HandOverForm(forms.Form):
    """To whom the watch goes, and the taker's shift."""

    to = forms.ModelChoiceField(
        label="To", queryset=User.objects.none(), help_text="Only the person you name can take over."
    )
    starts_at = forms.DateTimeField(
        label="From",
        required=False,
        widget=forms.TextInput(attrs=MOMENT),
        help_text="UTC, when the shift begins. Empty: as soon as it is taken.",
    )
    ends_at = forms.DateTimeField(
        label="Until",
        required=False,
        widget=forms.TextInput(attrs=MOMENT),
        help_text="UTC, when the shift ends. Empty: open.",
    )

    def __init__(self, *args: Any, takers: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = User.objects.filter(pk__in=[person.pk for person in takers]).order_by("username")


class TakeForm(forms.Form):
    """That the card was read; ``read_notes`` is the newest note that was on the page."""

    number = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    read_notes = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    read = forms.BooleanField(
        label="I have read this and take over", error_messages={"required": "Read the card first."}
    )

"""The few forms of the panel. They read what a person typed; every rule is a service's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User

from migration_runs.phases import Role
from migration_runs.runbook import registry
from migration_runs.services import lessons, people
from migration_runs.services.adjusting import Setting

TEXT_LENGTH = 2000
PERSON = "person_"
VALUE = "value_"


class ActionForm(forms.Form):
    """A comment, the run's name, the password, values to set, a word that something was read: whichever of
    them an action asks for.
    """

    digest = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        *args: Any,
        comment: str = "",
        name: bool = False,
        password: bool = False,
        password_needed: bool = True,
        read: bool = False,
        values: Sequence[Setting] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._settings = tuple(values)
        for setting in self._settings:
            self.fields[f"{VALUE}{setting.name}"] = forms.FloatField(
                label=setting.name,
                initial=setting.value,
                required=False,
                widget=forms.NumberInput(
                    attrs={"min": setting.lowest, "max": setting.highest, "step": "any"}
                ),
                help_text=f"{setting.means}: {setting.lowest:g} to {setting.highest:g} {setting.unit}, "
                f"signed {setting.signed:g}.",
            )
        if comment:
            self.fields["comment"] = forms.CharField(
                label=comment,
                widget=forms.Textarea(attrs={"rows": 3}),
                required=False,
                max_length=TEXT_LENGTH,
                help_text="Kept on the audit trail.",
            )
        if read:
            self.fields["read"] = forms.BooleanField(
                label="I have read the steps without an undo and the data decision",
                required=password_needed,
                error_messages={
                    "required": "Say that you have read what cannot be undone, or send the plan back."
                },
            )
        if name:
            self.fields["typed_name"] = forms.CharField(
                label="Type the run's name",
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
                help_text="So that a wrong run is not rolled back by mistake.",
            )
        if password:
            self.fields["password"] = forms.CharField(
                label="Your password",
                required=password_needed,
                strip=False,
                widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
                help_text="Asked again because this signature or action is yours alone.",
            )

    def changed_values(self) -> dict[str, str]:
        """The settings that were given another value, as typed."""
        return {
            setting.name: f"{given:.15g}"
            for setting in self._settings
            if (given := self.cleaned_data[f"{VALUE}{setting.name}"]) not in (None, setting.value)
        }


class EvidenceForm(forms.Form):
    """What a person says to show that something was done."""

    evidence = forms.CharField(required=False, max_length=TEXT_LENGTH)


class LessonForm(forms.Form):
    """What a person learned from a run."""

    text = forms.CharField(
        label="What was learned",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=lessons.LONGEST,
        error_messages={"required": "Write the lesson first: there is no text in it."},
        help_text="Under your name, for whoever plans the next run. It cannot be changed afterwards.",
    )


class ReasonForm(forms.Form):
    """Why a person takes something back."""

    reason = forms.CharField(
        label="Why", max_length=TEXT_LENGTH, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


class NewRunForm(forms.Form):
    """What a new run needs: a runbook, a target and the data decision. The author is who is logged in."""

    runbook = forms.ChoiceField(help_text="What is executed. It is frozen into a plan at once.")
    target = forms.ChoiceField(help_text="The database in which the migration happens.")
    data_decision = forms.ChoiceField(
        choices=[
            ("delete", "delete: a rollback deletes copied rows that are proven equal in the source"),
            ("keep", "keep: a rollback keeps them; the duplicate-safe reader stays"),
        ],
        help_text="Made before approval, so that nobody decides it at night.",
    )
    planned_start = forms.DateTimeField(
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "2026-03-05 18:00", "autocomplete": "off"}),
        help_text="UTC. Empty: now. The planned start of each phase follows from it.",
    )
    clock_speed = forms.FloatField(
        initial=1.0,
        min_value=1.0,
        help_text="Speed of the target's market clock: 1 in production, more on a demo or rehearsal target.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choices("runbook", [(found.slug, found.slug) for found in registry.available()])
        self._choices("target", [(alias, alias) for alias in sorted(settings.TARGETS)])
        for role in Role:
            having = people.holders(role)
            if len(having) > 1:
                self.fields[f"{PERSON}{role.value}"] = forms.ModelChoiceField(
                    label=f"Who is the {role.value}",
                    queryset=User.objects.filter(pk__in=[person.pk for person in having]),
                    empty_label=None,
                    help_text="Several people have this role; the run names one.",
                )

    def assignments(self) -> dict[str, User]:
        """The people chosen for roles that several have, by role."""
        chosen = self.cleaned_data.items()
        return {name.removeprefix(PERSON): person for name, person in chosen if name.startswith(PERSON)}

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

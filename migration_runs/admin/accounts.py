"""Accounts in the admin: roles are groups, ticked in a list that a keyboard and a screen reader can use."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ManyToManyField
from django.http import HttpRequest

from migration_runs.admin.records import ReadOnlyAdmin


class LogInForm(AdminAuthenticationForm):
    """Says the same whatever is wrong: whether an account exists, or may come in, is not told."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": "That account and password do not go together. Capitals count in both.",
    }


admin.site.login_form = LogInForm
admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg] # not generic when it runs
    """As Django's, without its two-sided lists; when somebody came and was last here is read alone."""

    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.ModelMultipleChoiceField[Any] | None:
        """Groups with a box for each; permissions, which nobody gives one by one, as a plain list."""
        if db_field.name == "groups":
            kwargs["widget"] = forms.CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin, GroupAdmin):
    """Roles are installed by migrations, with what each may do: they are looked at here, never made, changed
    or removed. A role that was gone would take everybody's part in every run with it.
    """

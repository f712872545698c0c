"""What chart is asked for. It is sent by GET: an address holds the whole question."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from bars.timeframes import STEPS

COUNTS = (60, 120, 240, 480)
USUAL = 120
LARGEST = 960
"""More places than this are not drawn in one chart: a bar would be thinner than a pixel."""

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2099, 1, 1, tzinfo=UTC)


class Moment(forms.DateTimeInput):
    """A browser's own picker of date and time; what it sends is read as UTC."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


def _moment(label: str) -> forms.DateTimeField:
    validators = [MinValueValidator(EARLIEST), MaxValueValidator(LATEST)]
    return forms.DateTimeField(label=label, required=False, widget=Moment, validators=validators)


class ChartForm(forms.Form):
    """Symbol and timeframe, and either how many bars or a stretch of time."""

    symbol = forms.ChoiceField()
    timeframe = forms.ChoiceField(choices=[(name, name) for name in STEPS])
    count = forms.TypedChoiceField(
        label="Bars", coerce=int, required=False, empty_value=None, choices=[(n, str(n)) for n in COUNTS]
    )
    since = _moment("From, UTC")
    until = _moment("Before, UTC")

    def __init__(self, *args: Any, symbols: list[str], **kwargs: Any) -> None:
        """``symbols`` are those of the registry: no other can be asked for."""
        super().__init__(*args, **kwargs)
        self.fields["symbol"].choices = [(symbol, symbol) for symbol in symbols]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """A stretch of time ends after it begins."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = given.get("since"), given.get("until")
        if since and until and since >= until:
            self.add_error("until", "This is not after the beginning.")
        return given

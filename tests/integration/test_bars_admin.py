"""The read-only pages of the bars tables."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bars.models import AggregationTask, DataBar, DerivedBar, RegistryAsset
from controlpanel.embedded_databases import ControlUrls, TargetUrls
from tests.pointing import pointed

LISTS = ("databar", "derivedbar", "registryasset")


@pytest.fixture
def auditor(control_db: ControlUrls, client: Client) -> Client:
    client.force_login(User.objects.create(username="nadia", is_staff=True))
    return client


@pytest.mark.parametrize("name", LISTS)
def test_staff_without_any_permission_may_look(auditor: Client, bars_target: TargetUrls, name: str) -> None:
    page = auditor.get(f"/admin/bars/{name}/")
    assert page.status_code == 200
    assert b"DXY" in page.content


@pytest.mark.parametrize("name", LISTS)
def test_nobody_may_add_change_or_delete(
    auditor: Client, control_db: ControlUrls, bars_target: TargetUrls, name: str
) -> None:
    auditor.force_login(User.objects.create_superuser("root"))
    keys = {
        "databar": DataBar.objects.values_list("pk", flat=True).first(),
        "derivedbar": DerivedBar.objects.values_list("pk", flat=True).first(),
        "registryasset": RegistryAsset.objects.values_list("pk", flat=True).first(),
    }
    key = keys[name]
    assert auditor.get(f"/admin/bars/{name}/add/").status_code == 403
    assert auditor.post(f"/admin/bars/{name}/{key}/change/", {"close": "1"}).status_code == 403
    assert auditor.post(f"/admin/bars/{name}/{key}/delete/", {"post": "yes"}).status_code == 403
    assert auditor.get(f"/admin/bars/{name}/{key}/change/").status_code == 200


def test_a_stranger_is_sent_to_the_login(control_db: ControlUrls, client: Client) -> None:
    page = client.get("/admin/bars/databar/")
    assert page.status_code == 302
    assert "login" in page["Location"]


def test_a_symbol_shows_its_aggregation_tasks(auditor: Client, bars_target: TargetUrls) -> None:
    page = auditor.get("/admin/bars/registryasset/DXY/change/")
    assert page.status_code == 200
    assert b"2026-03-16 08:00" in page.content
    assert page.content.count(b"<td>idle</td>") == 2


def test_lists_filter_by_symbol_timeframe_and_state(auditor: Client, bars_target: TargetUrls) -> None:
    page = auditor.get("/admin/bars/derivedbar/?symbol=DXY&timeframe=1m&state=withdrawn")
    shown = page.context["cl"].result_list
    assert len(shown) > 0
    assert {(bar.canonical_symbol, bar.timeframe, bar.deleted_at is None) for bar in shown} == {
        ("DXY", "1m", False)
    }


def test_an_unreachable_target_is_said_and_does_not_break_the_panel(auditor: Client) -> None:
    nowhere = "postgresql://phasegate_runner:x@127.0.0.1:1/nowhere"
    with pointed({"bars": nowhere}):
        page = auditor.get("/admin/bars/databar/", follow=True)
    assert page.status_code == 200
    assert "cannot be read now" in page.content.decode()


def test_rows_cannot_be_written_through_the_models(bars_target: TargetUrls, control_db: ControlUrls) -> None:
    bar = DerivedBar.objects.filter(canonical_symbol="DXY").first()
    assert bar is not None
    with pytest.raises(TypeError, match="read-only"):
        bar.save()
    with pytest.raises(TypeError, match="read-only"):
        bar.delete()


def test_tasks_are_found_by_their_composite_key(bars_target: TargetUrls, control_db: ControlUrls) -> None:
    assert AggregationTask.objects.get(pk=("DXY", "5m")).source_timeframe == "1m"

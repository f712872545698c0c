"""Addresses of the pages of the bars, below the admin's own address of the app."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from bars import pages

urlpatterns = [
    path("series/", admin.site.admin_view(pages.series_page), name="bars_series"),
    path("series/", admin.site.admin_view(pages.series_page), name="bars_front"),
    path("chart/", admin.site.admin_view(pages.chart_page), name="bars_chart"),
]

"""URLs: the admin is the panel; ``/healthz`` is for load balancers and container health checks."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from controlpanel import health

admin.site.site_header = "Phasegate"
admin.site.site_title = "Phasegate"
admin.site.index_title = "Start"
admin.site.site_url = None
admin.site.enable_nav_sidebar = False  # a run page needs the width; the start page lists everything

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", health.healthz, name="healthz"),
    path("admin/bars/", include("bars.urls")),
    path("admin/", admin.site.urls),
]
if settings.DEBUG or settings.PHASEGATE_DEMO:
    urlpatterns.append(path("style/", RedirectView.as_view(pattern_name="admin:migration_runs_run_style")))

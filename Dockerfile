# The panel's image: web, worker, beat and migrations are the same image with another command.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/phasegate
COPY requirements.txt /tmp/requirements.txt
RUN /opt/phasegate/bin/pip install --require-hashes -r /tmp/requirements.txt
COPY . /srv/phasegate
WORKDIR /srv/phasegate
# collectstatic reads the settings, which refuse to start without these; nothing connects, nothing of it stays in the image.
RUN SECRET_KEY=only-to-collect-static-files-in-this-build-step \
    DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing \
    CELERY_BROKER_URL=redis://127.0.0.1:1/0 \
    BACKUP_DIR=/tmp \
    /opt/phasegate/bin/python manage.py collectstatic --no-input \
    && /opt/phasegate/bin/python -m compileall -q controlpanel migration_runs bars

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Phasegate" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --system --gid 10001 phasegate \
    && useradd --system --uid 10001 --gid phasegate --home-dir /srv/phasegate --shell /usr/sbin/nologin phasegate \
    && install --directory --owner=phasegate --group=phasegate --mode=0700 /var/backups/phasegate
COPY --from=build /opt/phasegate /opt/phasegate
COPY --from=build /srv/phasegate /srv/phasegate
ENV PATH=/opt/phasegate/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 BACKUP_DIR=/var/backups/phasegate
WORKDIR /srv/phasegate
USER phasegate
VOLUME ["/var/backups/phasegate"]
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=4 CMD ["python", "-m", "controlpanel.probe"]
CMD ["gunicorn", "controlpanel.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--no-control-socket", "--access-logfile", "-"]

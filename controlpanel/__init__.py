"""The Django project: settings, URLs, Celery, and the servers that demo and tests bring along."""

"""The worker: a Celery worker whose children claim runs from the database and execute them, one at a time each."""

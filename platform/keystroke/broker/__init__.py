"""The only place that knows Celery and Redis. A message says "there is work"; the database says which."""

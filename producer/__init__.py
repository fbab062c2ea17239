"""The web app: takes a request, enqueues a job, shows what became of it."""

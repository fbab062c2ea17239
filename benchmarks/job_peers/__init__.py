"""One program for each job system, run in an environment of its own: ``publish URL JOBS`` or ``work URL``."""

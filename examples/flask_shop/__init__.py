"""A Flask app and a worker apart; the trace of a request goes on in the worker."""

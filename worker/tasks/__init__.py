"""The sample tasks, each the smallest of its kind: spans below, jobs that post jobs, HTTP, failure."""

from worker.tasks.demo import demo, do_stuff
from worker.tasks.failing import fail, flaky
from worker.tasks.fan_out import fan_out
from worker.tasks.fetch import fetch

__all__ = ["demo", "do_stuff", "fail", "fan_out", "fetch", "flaky"]

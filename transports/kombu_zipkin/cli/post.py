"""``kombu-zipkin post``."""

import json
import os
import sys
import time
from typing import Any, Final

import click
from click.shell_completion import CompletionItem
from rich.console import Console

from kombu_zipkin.cli.completion import tasks_of
from kombu_zipkin.cli.errors import FAILED, INTERRUPTED, fail, one_sentence
from kombu_zipkin.cli.load import Outcome, run_load, show
from kombu_zipkin.cli.screen import json_option, lines, number, print_json
from kombu_zipkin.cli.web_app import ENDED, WebApp
from kombu_zipkin.errors import ConfigurationError, KombuZipkinError

_POLL_SECONDS: Final = 0.1
_URL: Final = "http://localhost:5000"
_HELP_SECONDS: Final = 1.5


class _PostCommand(click.Command):
    """Its help ends with the tasks that can be posted now."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Ask the web app for its tasks."""
        url = _url(ctx)
        with formatter.section(f"Tasks of {url}"):
            try:
                found = WebApp(url, timeout=_HELP_SECONDS).get("/api/tasks")["tasks"]
            except (KombuZipkinError, KeyError, TypeError):
                formatter.write_text("(it does not answer, so its tasks cannot be listed here)")
                return
            rows = [(" ".join([task["name"], *map(_usage, task["parameters"])]), _about(task)) for task in found]
            if rows:
                formatter.write_dl(rows, col_max=40)
            else:
                formatter.write_text("(none: no worker has announced one)")


def _url(ctx: click.Context) -> str:
    """Return the web app's address before the options are all read."""
    return ctx.params.get("url") or os.environ.get("KOMBU_ZIPKIN_URL") or _URL


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a task's name in a shell."""
    return tasks_of(_url(ctx), incomplete)


def _usage(parameter: dict[str, Any]) -> str:
    if parameter["required"]:
        return f"{parameter['name']}=…"
    return f"[{parameter['name']}={json.dumps(parameter['default'])}]"


def _about(task: dict[str, Any]) -> str:
    doc = (task["doc"] or "").strip().split("\n")[0]
    return doc if task["is_running"] else f"{doc} (no worker runs it now)"


@click.command(cls=_PostCommand)
@click.argument("task", shell_complete=_complete)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--url", default=_URL, show_default=True, envvar="KOMBU_ZIPKIN_URL", is_eager=True, help="The web app.")
@click.option("--delay-ms", default=0, metavar="MS", type=click.IntRange(0), help="Have it wait so long first.")
@click.option("--id", "job_id", metavar="ID", help="The job's id; one that was posted before is not posted again.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="Post so many, and print a summary.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="So many a second, with --count.")
@click.option("--wait", is_flag=True, help="Wait for the job to end; exit 1 if it was dead-lettered.")
@click.option("--timeout", default=60.0, show_default=True, metavar="SECONDS", help="How long --wait waits.")
@json_option
def post(
    task: str,
    arguments: tuple[str, ...],
    url: str,
    delay_ms: int,
    job_id: str | None,
    count: int | None,
    rate: float | None,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Post a job of TASK through the web app, where its trace begins; with --count many.

    A VALUE is read as JSON (2.5, true, [1,2]) and else as text.

    \b
    Example:
        kombu-zipkin post do_stuff seconds=0.5 --wait
        kombu-zipkin post do_stuff seconds=0 --count 1000 --rate 50 --wait
    """
    if rate is not None and count is None:
        raise click.UsageError("--rate goes with --count")
    if count is not None and job_id is not None:
        raise click.UsageError("--id names one job: leave --count out")
    with one_sentence():
        app = WebApp(url)
        body = {"task": task, "arguments": dict(map(_argument, arguments)), "delay_ms": delay_ms}
        if count is not None:
            _load(run_load(app, body, count, rate, wait, timeout), wait, timeout, as_json)
            return
        job = app.post("/api/jobs", body if job_id is None else {**body, "id": job_id})
        if wait:
            job = _wait(app, job, timeout)
    if as_json:
        print_json(job)
    else:
        _show(job)
    if wait and job["state"] not in ENDED:
        fail(f"job {job['id']} has not ended after {timeout:g} s; is a worker running? kombu-zipkin doctor")
    if wait and job["state"] != "succeeded":
        sys.exit(FAILED)


def _load(outcome: Outcome, wait: bool, timeout: float, as_json: bool) -> None:
    if as_json:
        print_json(outcome.told())
    else:
        show(outcome)
    if outcome.stopped:
        fail("interrupted", INTERRUPTED)
    if wait and outcome.pending:
        few = number(len(outcome.pending), "job")
        fail(f"{few} did not end within {timeout:g} s; is a worker running? kombu-zipkin doctor")
    if not outcome.is_good:
        sys.exit(FAILED)


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigurationError(f"argument: expected KEY=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _wait(app: WebApp, posted: dict[str, Any], timeout: float) -> Any:
    """Return the job when it has ended, or as it is when the time is up."""
    until = time.monotonic() + timeout
    try:
        with Console(stderr=True).status(f"job {posted['id']}: {posted['state']}") as status:
            while True:
                job = app.get(f"/api/jobs/{posted['id']}")
                if job["state"] in ENDED or time.monotonic() >= until:
                    return job
                status.update(f"job {job['id']}: {job['state']}")
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        fail(f"interrupted; the job goes on: kombu-zipkin jobs show {posted['id']}", INTERRUPTED)


def _show(job: dict[str, Any]) -> None:
    print(f"job    {job['id']}  {job['state']}")
    if job.get("result") is not None:
        print(f"result {json.dumps(job['result'])}")
    if job.get("error"):
        print(f"error  {lines(job['error'])}")
    print(f"trace  {job['links']['trace'] or 'not sampled'}")

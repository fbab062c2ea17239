"""The commands of ``kombu-zipkin``."""

import click

from kombu_zipkin.cli.doctor import doctor
from kombu_zipkin.cli.jobs import jobs
from kombu_zipkin.cli.post import post
from kombu_zipkin.cli.relay import relay
from kombu_zipkin.cli.spans import spans
from kombu_zipkin.cli.trace import trace
from kombu_zipkin.cli.verify import verify
from kombu_zipkin.cli.worker import worker


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kombu-zipkin", prog_name="kombu-zipkin")
def commands() -> None:
    """Distributed tracing through a message queue: kombu on Redis, spans over a Redis Stream to Zipkin.

    Every setting is an environment variable too (REDIS_URL, ZIPKIN_URL, ...), read from .env as well; an option on
    the command line wins.

    Exit codes: 0 done, 1 failed, 2 wrong use or a wrong setting.
    """


for command in (relay, worker, post, trace, verify, spans, jobs, doctor):
    commands.add_command(command)

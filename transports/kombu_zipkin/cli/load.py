"""Many jobs at a rate, what became of them, and how long it took."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kombu_zipkin.cli.screen import number
from kombu_zipkin.cli.web_app import ENDED, WebApp
from kombu_zipkin.errors import KombuZipkinError

_AT_ONCE: Final = 8  # requests
_LOOK_SECONDS: Final = 0.2
_MOST_FAULTS: Final = 5  # sentences that are shown
_SHARES: Final = (("p50", 0.5), ("p99", 0.99))


@dataclass(slots=True)
class Outcome:
    """What became of a load.

    Attributes:
        wanted: How many jobs were to be posted.
        seconds: How long the posting took.
        jobs: The jobs that were posted, as the web app last told of each.
        refused: How many posts failed, by sentence.
        stopped: Whether it was interrupted.
    """

    wanted: int
    seconds: float = 0.0
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    stopped: bool = False

    @property
    def pending(self) -> list[str]:
        """Ids of the jobs that have not ended."""
        return [job_id for job_id, job in self.jobs.items() if job["state"] not in ENDED]

    @property
    def is_good(self) -> bool:
        """Whether every job was posted, and none that ended was dead-lettered."""
        states = {job["state"] for job in self.jobs.values()}
        return len(self.jobs) == self.wanted and "dead_lettered" not in states

    def told(self) -> dict[str, Any]:
        """Return the summary, with times in milliseconds."""
        states = Counter(job["state"] for job in self.jobs.values())
        return {
            "posted": len(self.jobs),
            "refused": sum(self.refused.values()),
            "seconds": round(self.seconds, 3),
            "states": dict(states),
            "wait_ms": _spread(self._between("created_ms", "started_ms")),
            "run_ms": _spread(self._between("started_ms", "finished_ms")),
            "end_to_end_ms": _spread(self._between("created_ms", "finished_ms")),
        }

    def _between(self, first: str, second: str) -> list[int]:
        return [job[second] - job[first] for job in self.jobs.values() if job.get(first) and job.get(second)]


def run_load(app: WebApp, body: dict[str, Any], count: int, rate: float | None, wait: bool, timeout: float) -> Outcome:
    """Post ``count`` jobs, ``rate`` a second; with ``wait`` until they have ended, ``timeout`` seconds at most.

    Ctrl-C ends it early; what was posted is told of.

    Raises:
        InvalidJob: The first was refused; then all would be.
        Unavailable: The web app does not answer, or cannot now.
    """
    outcome = Outcome(count)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        try:
            _post(app, pool, body, outcome, rate, _bar(bars, "posted", count))
            if wait:
                _follow(app, pool, outcome, timeout, _bar(bars, "ended", len(outcome.jobs)))
        except KeyboardInterrupt:
            outcome.stopped = True
            pool.shutdown(cancel_futures=True)
    return outcome


def show(outcome: Outcome) -> None:
    """Print the summary for a person."""
    told = outcome.told()
    print(f"posted     {number(told['posted'], 'job')} in {told['seconds']:.2f} s, {_rate(outcome):.0f}/s")
    for state, count in told["states"].items():
        print(f"{state.replace('_', '-'):10} {count}")
    for name, words in (("wait_ms", "waited"), ("run_ms", "ran"), ("end_to_end_ms", "in all")):
        if told[name]:
            print(f"{words:10} p50 {told[name]['p50']} ms, p99 {told[name]['p99']} ms")
    for sentence, count in outcome.refused.most_common(_MOST_FAULTS):
        print(f"refused    {count}: {sentence}")


def _post(
    app: WebApp,
    pool: ThreadPoolExecutor,
    body: dict[str, Any],
    outcome: Outcome,
    rate: float | None,
    step: Callable[[], None],
) -> None:
    begun = time.monotonic()
    flying: deque[Future[dict[str, Any] | str]] = deque()

    def land() -> None:
        answer = flying.popleft().result()
        if isinstance(answer, str):
            outcome.refused[answer] += 1
        else:
            outcome.jobs[answer["id"]] = answer
        outcome.seconds = time.monotonic() - begun
        step()

    first = app.post("/api/jobs", body)
    outcome.jobs[first["id"]] = first
    step()
    for place in range(1, outcome.wanted):
        if rate is not None:
            time.sleep(max(0.0, begun + place / rate - time.monotonic()))
        while flying and (len(flying) >= _AT_ONCE or flying[0].done()):
            land()
        flying.append(pool.submit(_posted, app, body))
    while flying:
        land()


def _posted(app: WebApp, body: dict[str, Any]) -> dict[str, Any] | str:
    try:
        job: dict[str, Any] = app.post("/api/jobs", body)
        return job
    except KombuZipkinError as error:
        return str(error)


def _follow(app: WebApp, pool: ThreadPoolExecutor, outcome: Outcome, timeout: float, step: Callable[[], None]) -> None:
    until = time.monotonic() + timeout
    while (pending := outcome.pending) and time.monotonic() < until:
        for job in pool.map(lambda job_id: _looked(app, job_id), pending[: 25 * _AT_ONCE]):
            if job is not None:
                outcome.jobs[job["id"]] = job
                if job["state"] in ENDED:
                    step()
        time.sleep(_LOOK_SECONDS)


def _looked(app: WebApp, job_id: str) -> dict[str, Any] | None:
    try:
        job: dict[str, Any] = app.get(f"/api/jobs/{job_id}")
        return job
    except KombuZipkinError:  # the app may be restarting; it is asked again
        return None


def _bar(bars: Progress, name: str, total: int) -> Callable[[], None]:
    bar = bars.add_task(name, total=total)
    return lambda: bars.advance(bar)


def _spread(values: Sequence[int]) -> dict[str, int] | None:
    if not values:
        return None
    ordered = sorted(values)
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in _SHARES}


def _rate(outcome: Outcome) -> float:
    return len(outcome.jobs) / outcome.seconds if outcome.seconds else 0.0

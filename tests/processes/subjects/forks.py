"""Fork again and again while other threads report; prints how many traces each thread of the parent made."""

import faulthandler
import itertools
import json
import os
import threading

from kombu_zipkin.spans import RedisStreamTransport
from kombu_zipkin.tracing import Tracer
from tests.processes.subjects.work import do_trace, do_traces, make_tracer, marks

FORKS, THREADS, TRACES = 20, 4, 3


def report_until(stop: threading.Event, tracer: Tracer, who: str, made: dict[str, int]) -> None:
    """Make traces until told to stop."""
    for number in itertools.count():
        if stop.is_set():
            made[who] = number
            return
        do_trace(tracer, f"{who}.{number}")


def child(tracer: Tracer, transport: RedisStreamTransport, fork: int) -> None:
    """Make traces on two threads and end without a word to the parent; a child that hangs ends with a traceback."""
    faulthandler.dump_traceback_later(15, exit=True)
    thread = threading.Thread(target=do_traces, args=(tracer, marks(f"child-{fork}-thread", TRACES)))
    thread.start()
    do_traces(tracer, marks(f"child-{fork}", TRACES))
    thread.join()
    counts = transport.close(10)
    os._exit(0 if (counts.created, counts.acknowledged) == (6 * TRACES, 6 * TRACES) else 1)


def fork_once(tracer: Tracer, transport: RedisStreamTransport, fork: int) -> int:
    """Fork; every other time inside an open trace, which stays the parent's."""
    if fork % 2:
        pid = os.fork()
        if pid == 0:
            child(tracer, transport, fork)
        return pid
    with tracer.root("request") as root:
        root.tag("mark", f"around-{fork}.0")
        pid = os.fork()
        if pid == 0:
            root.tag("mark", "the child must not report this")
        else:
            with tracer.child("step") as step, tracer.child("detail") as detail:
                step.tag("mark", f"around-{fork}.0")
                detail.tag("mark", f"around-{fork}.0")
    if pid == 0:
        child(tracer, transport, fork)
    return pid


def main() -> None:
    """Fork while the threads report, then say how many traces they made."""
    tracer, transport = make_tracer(linger_ms=1)
    stop, made = threading.Event(), dict[str, int]()
    threads = [
        threading.Thread(target=report_until, args=(stop, tracer, f"parent-{number}", made))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    codes = []
    for fork in range(0, FORKS, 2):  # two children at a time
        pids = [fork_once(tracer, transport, fork + each) for each in range(2)]
        codes += [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"codes": codes, "made": made}))


if __name__ == "__main__":
    main()

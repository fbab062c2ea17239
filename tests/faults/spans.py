"""The spans' way under faults, for a long time: ``python -m tests.faults.spans --help``."""

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from kombu_zipkin.errors import StreamUnavailable
from tests.faults.arithmetic import good_beside_poison, reckon
from tests.faults.poison import Poison
from tests.faults.proxy import MODES
from tests.faults.system import System, roomy_zipkin
from tests.servers import ZipkinServer

APPS = 3
RELAYS = 2


def main() -> None:
    """Run until enough was killed and enough spans were made, then print and check the sums; exit 1 if one is off."""
    parser = argparse.ArgumentParser(description="Kill, freeze and cut everything on the spans' way, and count.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--kills", type=int, default=500, help="end after so many SIGKILLs (default 500)")
    parser.add_argument("--spans", type=int, default=100_000, help="and so many spans (default 100000)")
    parser.add_argument("--minutes", type=float, default=25.0, help="but not later than this (default 25)")
    arguments = parser.parse_args()
    zipkin = roomy_zipkin()
    try:
        with TemporaryDirectory() as folder:
            faults = run(
                Path(folder), zipkin, arguments.seed,
                kills=arguments.kills, spans=arguments.spans, seconds=arguments.minutes * 60,
            )  # fmt: skip
    finally:
        zipkin.close()
    sys.exit("\n".join(faults) if faults else 0)


def run(folder: Path, zipkin: ZipkinServer, seed: int, *, kills: int, spans: int, seconds: float) -> list[str]:
    """Run once; prints the sums and returns what is wrong with them, a sentence each."""
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    system = System(folder, zipkin, rng.randrange(1, 1 << 32), pause=0.02)
    poison = Poison(system.redis.url, system.run)
    try:
        for _ in range(APPS):
            system.start_app()
        for _ in range(RELAYS):
            system.start_relay()
        until, told = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < until and not _is_enough(system, kills, spans):
            _do_something(system, poison, rng)
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"  {sum(system.kills.values())} kills, {_made(system)} spans", flush=True)
        system.finish()
        return _check(system, poison)
    finally:
        system.close()


def _do_something(system: System, poison: Poison, rng: random.Random) -> None:
    """Choose a fault, or a moment of peace."""
    choices: list[tuple[int, str, Callable[[], object]]] = [
        (10, "app killed", lambda: system.kill_app(rng)),
        (6, "relay killed", lambda: system.kill_relay(rng)),
        (3, "redis killed", lambda: system.kill_redis(rng)),
        (1, "relay stopped", lambda: system.stop_relay(rng)),
        (1, "frozen", lambda: system.freeze(rng)),
        (1, "out of memory", lambda: system.fill_redis(rng)),
        (4, "trouble", lambda: system.trouble(rng.choice(MODES), rng)),
        (4, "poison", lambda: _poison(poison, rng)),
        (3, "peace", lambda: time.sleep(rng.random())),
    ]
    (_, name, act), *_ = rng.choices(choices, [weight for weight, _, _ in choices])
    system.faults[name] = system.faults.get(name, 0) + 1
    act()


def _poison(poison: Poison, rng: random.Random) -> None:
    try:
        poison.append(rng)
    except StreamUnavailable as error:
        print(f"  poison put off: {error}", flush=True)


def _is_enough(system: System, kills: int, spans: int) -> bool:
    return sum(system.kills.values()) >= kills and _made(system) >= spans


def _made(system: System) -> int:
    return sum(system.tally(slot).done for slot in range(system.slots))


def _check(system: System, poison: Poison) -> list[str]:
    account, ledger = reckon(system)
    good, arrived = good_beside_poison(system, poison)
    dead = ledger.totals.get("dead", 0)
    print(f"kills {system.kills}, {system.slots} processes; {system.faults}\nrequests by mood {system.proxy.served}")
    print(account)
    totals = {name: ledger.totals.get(name, 0) for name in ("appended", "delivered", "dead", "vanished", "trimmed")}
    print(f"books {totals}, waiting {ledger.waiting}, difference {ledger.difference}; {good} good spans beside poison")
    wrong = {
        f"{account.unexplained} spans unexplained": account.unexplained,
        f"{account.missing} spans lost after Redis had acknowledged them": account.missing,
        f"{account.surplus} spans in Zipkin that Redis never had": account.surplus,
        f"{account.doubled} spans more than once in Zipkin": account.doubled,
        f"the books differ by {ledger.difference}, dead letters by {ledger.dead_difference}": (
            ledger.difference or ledger.dead_difference
        ),
        f"{ledger.totals.get('vanished', 0)} vanished": ledger.totals.get("vanished", 0),
        f"{dead} dead letters, expected the poison's {poison.dead}": dead != poison.dead,
        f"{good - arrived} good spans beside poison did not arrive": good - arrived,
        f"{ledger.waiting} spans still wait": ledger.waiting,
    }
    return [what for what, is_wrong in wrong.items() if is_wrong]


if __name__ == "__main__":
    main()

"""`make bench`: one line a measure on standard output, `name value unit`; what is going on, on standard error."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.bench import corpus, growth, latency, reading, search, store
from tests.bench.outcome import Outcome
from tests.servers.dovecot import Dovecot

ROUNDS = 5
CARDS = 64
NO_DOVECOT = 3
USER = "corpus"
_SBIN = "/usr/sbin:/usr/local/sbin"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _report(name: str, value: float, unit: str) -> None:
    print(f"{name} {value:.3g} {unit}" if value < 100 else f"{name} {value:.0f} {unit}", flush=True)


def _directory() -> Path:
    """Where stores are written: a disk, for on a RAM disk a durable commit costs nothing."""
    default = Path("/var/tmp")  # never a RAM disk (FHS 3.0 §5.15)
    return Path(os.environ.get("BENCH_DIR") or (default if default.is_dir() else tempfile.gettempdir()))


# ---------------------------------------------------------------- intake


def measure_intake(directory: Path) -> None:
    """The corpus, by the floor and by us in turn."""
    with Dovecot() as dovecot:
        _say("writing the corpus")
        mailbox = dovecot.folder_path(USER)
        corpus.fill_maildir(mailbox)
        _give(mailbox, dovecot.root)
        with dovecot.client(USER) as client:
            client.noop()  # the server numbers the mails once, for nobody's account
        floors, ours = [], []
        for number in range(1, ROUNDS + 1):
            floors.append(_run(dovecot, directory / f"floor-{number}.db", corpus.CONVERSATIONS, "floor"))
            conversations = corpus.CONVERSATIONS + corpus.STRANGERS
            ours.append(
                _run(dovecot, directory / f"ours-{number}.db", conversations, "intake", f"--mails={corpus.MAILS}")
            )
            _say(f"intake {number}/{ROUNDS}: floor {_rate(floors[-1]):.0f}/s, ours {_rate(ours[-1]):.0f}/s")
    floor_rate, our_rate = statistics.median(map(_rate, floors)), statistics.median(map(_rate, ours))
    _report("intake_vs_floor", our_rate / floor_rate, "ratio")
    _report("intake_mails_per_s", our_rate, "mails/s")
    _report("floor_mails_per_s", floor_rate, "mails/s")
    _report("intake_cpu_ms_per_mail", statistics.median(1e3 * run.cpu_seconds / corpus.MAILS for run in ours), "ms")
    _report("floor_cpu_ms_per_mail", statistics.median(1e3 * run.cpu_seconds / corpus.MAILS for run in floors), "ms")
    _report("intake_peak_rss_mib", max(run.peak_rss_mib for run in ours), "MiB")
    _report("floor_peak_rss_mib", max(run.peak_rss_mib for run in floors), "MiB")


def _give(place: Path, like: Path) -> None:
    """The server's own user owns its mail."""
    owner = like.stat()
    for path in (place.parent, place, *place.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)


def _run(dovecot: Dovecot, path: Path, conversations: int, program: str, *further: str) -> Outcome:
    said = subprocess.run(
        [
            *(sys.executable, "-m", f"tests.bench.{program}"),
            *("--port", str(dovecot.imap_port), "--user", USER, "--password", dovecot.password),
            *("--store", str(path), *further),
        ],
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    outcome = msgspec.json.decode(said.stdout, type=Outcome)
    found = (outcome.conversations, outcome.messages, outcome.attachments)
    if found != (conversations, corpus.MAILS, corpus.ATTACHMENTS):
        raise RuntimeError(f"{program} made of the corpus {outcome}")
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    return outcome


def _rate(run: Outcome) -> float:
    return corpus.MAILS / run.seconds


# ---------------------------------------------------------------- reading


def measure_reading() -> None:
    """What reading a mail costs, beside what the standard library takes."""
    _say(f"reading {reading.MAILS} mails, {reading.ROUNDS} times by both")
    _report("parse_speed", reading.measure(), "ratio")


# ---------------------------------------------------------------- cards


def measure_cards(directory: Path) -> None:
    """A mail's way to its card."""
    _say(f"{CARDS} mails to their cards: about {CARDS * sum(latency.PACE) / 2:.0f} s")
    times = asyncio.run(latency.measure(directory, CARDS))
    _report_spread("card_after_announce", (each.ours for each in times))
    _report_spread("dovecot_announce", (each.server for each in times))
    _report_spread("card_after_delivery", (each.whole for each in times))


def _report_spread(name: str, seconds: Iterable[float]) -> None:
    values = [1e3 * each for each in seconds]
    _report(f"{name}_ms", statistics.median(values), "ms")
    _report(f"{name}_p95_ms", statistics.quantiles(values, n=20, method="inclusive")[-1], "ms")


# ---------------------------------------------------------------- mailboxes


def measure_mailboxes() -> None:
    """Many mailboxes that nothing arrives in; in a process of its own, which holds nothing else."""
    _say("two hundred mailboxes, without TLS and with it")
    subprocess.run([sys.executable, "-m", "tests.bench.mailboxes"], check=True, timeout=300)


# ---------------------------------------------------------------- store


def measure_store(directory: Path) -> None:
    """The embedded store under as many writers as it commits with one sync."""
    _report("store_units_per_s_64", asyncio.run(store.measure(directory / "store.db")), "units/s")


# ---------------------------------------------------------------- growth


def measure_growth(directory: Path) -> None:
    """What a long history costs: the same work with little behind it and with much."""
    sizes = os.environ.get("BENCH_GROWTH", "10000,1000000").split(",")
    small, large = (int(size) for size in sizes)
    found = [*growth.on_sqlite(directory, small, large, _say)]
    if os.environ.get("MONGO_URL"):
        found += growth.elsewhere(directory, _say)
    for grown in found:
        _report(grown.name, grown.ratio, "ratio")


# ---------------------------------------------------------------- search


def measure_search(directory: Path) -> None:
    """How soon a secretary finds again what was written."""
    found = asyncio.run(search.measure(directory, _say))
    _report("search_p95_ms", 1e3 * found.warm, "ms")
    _report("search_cold_p95_ms", 1e3 * found.cold, "ms")
    _report("search_vs_floor", found.warm / found.floor, "ratio")


# ---------------------------------------------------------------- all


def main() -> int:
    """Run everything; the exit code."""
    if shutil.which("dovecot", path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}") is None:
        _say("make bench needs Dovecot: on Debian, apt-get install dovecot-imapd dovecot-lmtpd")
        return NO_DOVECOT
    with tempfile.TemporaryDirectory(prefix="bench-", dir=_directory()) as name:
        directory = Path(name)
        measure_reading()
        measure_cards(directory)
        measure_intake(directory)
        measure_mailboxes()
        measure_store(directory)
        measure_search(directory)
        measure_growth(directory)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

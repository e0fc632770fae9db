# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Constant traffic, and an exact account of what became of every request.

In Python:

    with Traffic("http://198.18.8.7/api/status", rate=300) as traffic:
        ...                                           # a release
    report = traffic.report
    report.failed                                     # 0
    report.between(switched).last("blue") - switched  # seconds from the switch to blue's last answer

As a command (`traffic.py COMMAND --help` lists the options):

    traffic.py run URL ...          until --for is over or Ctrl-C, then print the report
    traffic.py start DIR URL ...    the same in the background; returns when the traffic flows
    traffic.py stop DIR             end it and print the report
    traffic.py show DIR             print that report again, or a part of it

All but start print a report, and exit with 1 when it has a failed request. `show --help` lists the ways to look at one.

The load comes from vegeta: so many requests a second whatever the answers do, on new connections or on kept ones.
Times are seconds since the epoch, as time.time() gives them. A request belongs to the moment at which it ended.
Standard library only.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import csv
import fcntl
import http.client
import ipaddress
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections import Counter
from pathlib import Path
from typing import IO, Any, Iterator, NamedTuple
from urllib.parse import urlsplit

# It is a program as well: pytest would find the others by itself.
sys.path.extend(str(Path(__file__).resolve().parents[1] / place) for place in ("", "tools"))
from cluster.toolchain import Failure, go_install

VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"
EMBEDDED = ipaddress.ip_network("198.18.0.0/15")  # where the addresses of embedded clusters are
MAX_RATE, MAX_SECONDS = 2000, 3600
MAX_KINDS = 200  # kinds of results told apart; guards the memory against answers that differ each time

# What a failure is called, by what vegeta says about it.
FAILURES = (
    ("connection refused", "connection refused"),
    ("connection reset", "connection reset"),
    ("no route to host", "no route to host"),
    ("Client.Timeout|deadline exceeded|i/o timeout|timed out", "timeout"),
    (r"\bEOF\b|broken pipe|server closed", "connection closed"),
)


class Kind(NamedTuple):
    """What became of a request: an answer of a colour and version ("?" when it names none), or a failure."""

    color: str = "?"
    version: str = "?"
    failure: str = ""

    def __str__(self) -> str:
        return self.failure or f"{self.color}({self.version})"


class Report:
    """What became of every request, in the order in which they ended (nearly: see `ended`).

    kinds: the kinds that occurred; kind: an index into it for each request; ended: when it ended, seconds since the
    epoch; took: seconds. Requests in flight at the same time can stand in the order in which vegeta wrote them down.
    """

    def __init__(self) -> None:
        self.kinds: list[Kind] = []
        self.kind, self.ended, self.took = array("H"), array("d"), array("d")

    def add(self, kind: Kind, ended: float, took: float) -> None:
        if kind not in self.kinds:
            if len(self.kinds) >= MAX_KINDS:
                kind = Kind(failure="other failures") if kind.failure else Kind("other", "other")
            if kind not in self.kinds:
                self.kinds.append(kind)
        self.ended.append(ended)
        self.took.append(took)
        self.kind.append(self.kinds.index(kind))  # last: it is what readers in other threads count by

    def rows(self) -> Iterator[tuple[Kind, float, float]]:
        """(kind, ended, took) of every request."""
        for i in range(len(self.kind)):
            yield self.kinds[self.kind[i]], self.ended[i], self.took[i]

    def between(self, begin: float, end: float = float("inf")) -> Report:
        """The part of the report from `begin` to `end`."""
        part = Report()
        for kind, ended, took in self.rows():
            if begin <= ended <= end:
                part.add(kind, ended, took)
        return part

    @property
    def sent(self) -> int:
        """Requests sent, whatever became of them."""
        return len(self.kind)

    @property
    def failed(self) -> int:
        """Requests without an answer, or with a status that is not 2xx."""
        return sum(self.failures.values())

    @property
    def failures(self) -> dict[str, int]:
        """Failed requests by kind, such as {"connection refused": 3, "HTTP 503": 1}."""
        return {str(kind): count for kind, count in self._counts().items() if kind.failure}

    @property
    def answers(self) -> dict[str, dict[str, int]]:
        """Answers by colour and version, such as {"blue": {"1.0": 4103}, "green": {"2.0": 4909}}."""
        result: dict[str, dict[str, int]] = {}
        for kind, count in self._counts().items():
            if not kind.failure:
                result.setdefault(kind.color, {})[kind.version] = count
        return result

    def first(self, color: str) -> float | None:
        """When the first answer of a colour came; None if there is none."""
        return min(self._times(color), default=None)

    def last(self, color: str) -> float | None:
        """When the last answer of a colour came; None if there is none."""
        return max(self._times(color), default=None)

    def timeline(self) -> list[dict[str, Any]]:
        """For each second: at (seconds since the epoch), results (kind → number), slowest (seconds)."""
        seconds: dict[int, dict[str, Any]] = {}
        for kind, ended, took in self.rows():
            row = seconds.setdefault(int(ended), {"at": int(ended), "results": Counter(), "slowest": 0.0})
            row["results"][str(kind)] += 1
            row["slowest"] = max(row["slowest"], took)
        return [seconds[at] for at in sorted(seconds)]

    def line(self, switched: float | None = None, old: str = "blue") -> str:
        """One line for people; with the time of a switch it says how long colour `old` answered after it."""
        parts = [f"sent {self.sent}", f"failed {self.failed}"]
        parts += [f"{kind} {count}" for kind, count in sorted(self._counts().items())]
        if switched is not None:
            last = self.between(switched).last(old)
            parts.append(
                f"no {old} answer after the switch"
                if last is None
                else f"last {old} answer {last - switched:.2f} s after the switch"
            )
        return "  ".join(parts)

    def summary(self) -> dict[str, Any]:
        """All figures as plain data, for JSON."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "failures": self.failures,
            "answers": self.answers,
            "first": {color: self.first(color) for color in self.answers},
            "last": {color: self.last(color) for color in self.answers},
            "slowest": max(self.took, default=None),
            "timeline": self.timeline(),
        }

    def save(self, path: Path) -> None:
        """Keep the report in a file, which appears when it is complete."""
        data = {
            "kinds": self.kinds,
            "kind": list(self.kind),
            "ended": [round(ended, 6) for ended in self.ended],
            "took": [round(took, 6) for took in self.took],
        }
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(data, separators=(",", ":")))
        new.replace(path)

    @staticmethod
    def load(path: Path) -> Report:
        """A report kept by save(). Raises Failure when the file is none."""
        report = Report()
        try:
            data = json.loads(path.read_text())
            report.kinds = [Kind(*kind) for kind in data["kinds"]]
            report.kind = array("H", data["kind"])
            report.ended, report.took = array("d", data["ended"]), array("d", data["took"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Failure(f"{path} holds no report: {error}") from error
        return report

    def _counts(self) -> dict[Kind, int]:
        return {self.kinds[index]: count for index, count in Counter(self.kind).items()}

    def _times(self, color: str) -> Iterator[float]:
        return (ended for kind, ended, took in self.rows() if kind.color == color and not kind.failure)


class Traffic:
    """Traffic against one URL, or several in turn.

    rate: requests a second. keepalive: keep connections, rather than a new one for each request. timeout: seconds
    after which a request has failed. seconds: when the traffic ends by itself. method: on kept connections it matters,
    since vegeta, as Go's client and browsers do, sends a GET again, but no POST, when its connection ends without an
    answer. `report` grows while the traffic runs.
    Inside the embedded cluster every run has a source address of its own: from a used one, connections meet what the
    node's connection tracking still knows of pods that are gone, and fail for reasons of the test's own making.
    Raises ValueError for a rate or a time out of bounds, Failure when nothing answers at a URL, or vegeta ends early.
    """

    def __init__(
        self,
        *urls: str,
        rate: int = 300,
        keepalive: bool = False,
        timeout: float = 2,
        seconds: float = 600,
        method: str = "GET",
    ):
        if not urls:
            raise ValueError("no URL given")
        if not 0 < rate <= MAX_RATE or not 0 < seconds <= MAX_SECONDS:
            raise ValueError(
                f"{rate} requests a second for {seconds} s: at most {MAX_RATE} for {MAX_SECONDS} s are allowed"
            )
        self.urls, self.rate, self.keepalive, self.timeout, self.seconds = urls, rate, keepalive, timeout, seconds
        self.method = method
        self.report = Report()
        self._cleanup = contextlib.ExitStack()
        self._bodies: dict[str, tuple[str, str]] = {}
        self._stopped = False

    def __enter__(self) -> Traffic:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> Traffic:
        """Begin; return when the first result is there."""
        vegeta = go_install(VEGETA)
        try:
            source = self._cleanup.enter_context(own_address(urlsplit(self.urls[0]).hostname or "", self.seconds + 60))
            for url in self.urls:
                wait_for(url, source)
            self._errors = self._cleanup.enter_context(tempfile.TemporaryFile("w+"))
            self._attack = subprocess.Popen(
                [
                    vegeta,
                    "attack",
                    f"-rate={self.rate}/1s",
                    f"-duration={self.seconds}s",
                    f"-timeout={self.timeout}s",
                    f"-keepalive={str(self.keepalive).lower()}",
                    f"-laddr={source or '0.0.0.0'}",
                    "-redirects=-1",
                    "-max-body=4096",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
            self._cleanup.callback(end, self._attack)
            self._encode = subprocess.Popen(
                [vegeta, "encode", "-to=csv"],
                stdin=self._attack.stdout,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                start_new_session=True,
            )
            self._cleanup.callback(end, self._encode)
            assert self._attack.stdin and self._attack.stdout  # for type checkers
            self._attack.stdout.close()  # the encoder has it now
            self._attack.stdin.write("".join(f"{self.method} {url}\n" for url in self.urls).encode())
            self._attack.stdin.close()
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            deadline = time.monotonic() + self.timeout + 5
            while not self.report.sent:
                if not self._reader.is_alive() or time.monotonic() > deadline:
                    raise Failure(f"no traffic to {self.urls[0]}: {self._said()}")
                time.sleep(0.01)
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def stop(self) -> Report:
        """End the traffic, wait for the requests in flight, and return the report. Can be called again."""
        if not self._stopped:
            self._stopped = True
            with self._cleanup:
                if self.flowing():
                    self._attack.send_signal(signal.SIGINT)  # vegeta then sends no more and waits for its answers
                self._reader.join(self.timeout + 10)
                if self._reader.is_alive():
                    raise Failure(f"vegeta did not end within {self.timeout + 10} s of being told to")
                if self._attack.wait() or self._encode.wait():
                    raise Failure(f"the traffic ended early, after {self.report.sent} requests: {self._said()}")
        return self.report

    def flowing(self) -> bool:
        """Whether requests are still being sent. Ask before stop() to know that there was traffic all the time."""
        return self._attack.poll() is None

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read(2000).strip() or f"vegeta says nothing (its exit status: {self._attack.poll()})"

    def _read(self) -> None:
        """Book every result. A thread of its own, so that vegeta never waits for this program."""
        assert self._encode.stdout
        for row in csv.reader(self._encode.stdout):
            began, code, took, error, body = int(row[0]), row[1], int(row[2]), row[5], row[6]
            if error or not code.startswith("2"):
                kind = Kind(failure=failure(code, error))
            else:
                if body not in self._bodies:
                    if len(self._bodies) > 1000:
                        self._bodies.clear()
                    self._bodies[body] = identity(body)
                kind = Kind(*self._bodies[body])
            self.report.add(kind, (began + took) / 1e9, took / 1e9)


def failure(code: str, error: str) -> str:
    """The name of a failure, from a status ("0" without an answer) and what vegeta says."""
    if code != "0":
        return f"HTTP {code}"
    for pattern, name in FAILURES:
        if re.search(pattern, error):
            return name
    # The rest in vegeta's words, without the addresses and ports that make every one different.
    return re.sub(r"\d+\.\d+\.\d+\.\d+(:\d+)?", "ADDRESS", error)[:200]


def identity(body: str) -> tuple[str, str]:
    """The colour and version that an answer (base64) names, "?" for what it does not name."""
    try:
        data = json.loads(base64.b64decode(body))
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return "?", "?"
    return str(data.get("color") or "?"), str(data.get("version") or "?")


@contextlib.contextmanager
def own_address(host: str, seconds: float) -> Iterator[str | None]:
    """A source address that nobody used of late, when `host` is in the embedded cluster, else None.

    It is on the host's end of the cluster's link until the context ends; should this program be killed, the kernel
    removes it after `seconds`.
    """
    try:
        target = ipaddress.ip_address(socket.gethostbyname(host))
    except OSError as error:
        raise Failure(f"cannot resolve {host!r}: {error}") from error
    device = ip("route", "get", str(target))[0]["dev"] if target in EMBEDDED else ""
    if not device.startswith("bg-"):
        yield None
        return
    # The cluster keeps the second to fourth 256 addresses of its block for this. The clock chooses among them, so
    # that none comes again within 12 minutes.
    block = ipaddress.ip_network(f"{target}/18", strict=False)
    pool = [str(block[number]) for number in range(257, 1023)]
    turn = int(time.time())
    for attempt in range(60):
        address = pool[(turn + attempt) % len(pool)]
        added = subprocess.run(
            [
                "ip",
                "address",
                "add",
                f"{address}/32",
                "dev",
                device,
                "valid_lft",
                str(int(seconds)),
                "preferred_lft",
                str(int(seconds)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if added.returncode == 0:
            break
        if "File exists" not in added.stderr and "already assigned" not in added.stderr:
            raise Failure(f"cannot add the source address {address} to {device}: {added.stderr.strip()}")
    else:
        raise Failure(f"no free source address on {device}: more than 60 runs at the same time?")
    try:
        yield address
    finally:
        # Not checked: it may be gone with the cluster.
        subprocess.run(["ip", "address", "del", f"{address}/32", "dev", device], capture_output=True, check=False)


def ip(*arguments: str) -> list[dict[str, Any]]:
    result = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise Failure(f"ip {' '.join(arguments)}: {result.stderr.strip()}")
    return json.loads(result.stdout)


def wait_for(url: str, source: str | None, seconds: float = 15) -> None:
    """Return when `url` answers; Failure after `seconds`. A new Service answers only when the node knows of it."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise Failure(f"{url!r} is no http:// URL")
    deadline = time.monotonic() + seconds
    while True:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, 40, (source, 0) if source else None)
        connection.timeout = 2
        try:
            connection.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
            connection.sock.settimeout(40)  # an application may take its time; a connection may not
            status = connection.getresponse().status
            if 200 <= status < 300:
                return
            reason = f"it answers {status}"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error)
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise Failure(f"no traffic: {url} does not work, tried for {seconds:.0f} s: {reason}")
        time.sleep(0.1)


def end(process: subprocess.Popen) -> None:
    """Make sure that a process of ours has ended."""
    if process.poll() is None:
        process.kill()
        process.wait()


# --- the command


def run(options: argparse.Namespace) -> int:
    """With a directory (DIR/lock held meanwhile): make DIR/ready when the traffic flows, end it when DIR/stop is made."""
    traffic = Traffic(
        *options.urls, rate=options.rate, keepalive=options.keepalive, timeout=options.timeout, seconds=options.seconds
    )
    directory = options.dir
    with contextlib.ExitStack() as cleanup:
        if directory:
            directory.mkdir(parents=True, exist_ok=True)
            lock = cleanup.enter_context((directory / "lock").open("w"))
            if not locked(lock):
                raise Failure(f"traffic flows in {directory} already; end it with: traffic.py stop {directory}")
            for name in ("report.json", "stop"):
                (directory / name).unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends the traffic as Ctrl-C does
        with traffic:
            if directory:
                (directory / "ready").touch()
            with contextlib.suppress(KeyboardInterrupt):
                while traffic.flowing() and not (directory and (directory / "stop").exists()):
                    time.sleep(0.1)
        if directory:
            traffic.report.save(directory / "report.json")
    return show_report(traffic.report, options)


def start(options: argparse.Namespace) -> int:
    ready, log = options.dir / "ready", options.dir / "log"
    options.dir.mkdir(parents=True, exist_ok=True)
    ready.unlink(missing_ok=True)
    command = [
        sys.executable,
        __file__,
        "run",
        *options.urls,
        f"--dir={options.dir}",
        f"--rate={options.rate}",
        f"--timeout={options.timeout}",
        f"--for={options.seconds}",
        *["--keepalive"][: options.keepalive],
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    while not ready.exists():
        if process.poll() is not None:
            raise Failure(log.read_text().strip().removeprefix("traffic: "))
        time.sleep(0.05)
    print(f"{options.rate} requests a second to {' '.join(options.urls)}; end them with: traffic.py stop {options.dir}")
    return 0


def stop(options: argparse.Namespace) -> int:
    if not (options.dir / "lock").exists():
        raise Failure(f"no traffic was started in {options.dir}")
    (options.dir / "stop").touch()
    deadline = time.monotonic() + 120
    with (options.dir / "lock").open("r+") as lock:
        while not locked(lock):
            if time.monotonic() > deadline:
                raise Failure(f"the traffic of {options.dir} does not end; see {options.dir / 'log'}")
            time.sleep(0.05)
    return show(options)


def show(options: argparse.Namespace) -> int:
    report = options.dir / "report.json"
    if not report.exists():
        raise Failure(
            f"no report in {options.dir}: its traffic has not ended, or was killed (see {options.dir / 'log'})"
        )
    return show_report(Report.load(report), options)


def locked(file: IO[str]) -> bool:
    """Lock a file; False when another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def show_report(report: Report, options: argparse.Namespace) -> int:
    report = report.between(options.since, options.until)
    if options.json:
        print(json.dumps(report.summary()))
        return 1 if report.failed else 0
    for row in report.timeline() if options.timeline else ():
        results = "  ".join(f"{kind} {count}" for kind, count in sorted(row["results"].items()))
        print(f"{time.strftime('%H:%M:%S', time.localtime(row['at']))}  {results}  slowest {row['slowest']:.3f} s")
    print(report.line(options.switched, options.old))
    return 1 if report.failed else 0


def main() -> int:
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("dir", type=Path, metavar="DIR")
    maybe_place = argparse.ArgumentParser(add_help=False)
    maybe_place.add_argument("--dir", type=Path, help="keep the report in this directory")
    load = argparse.ArgumentParser(add_help=False)
    load.add_argument("urls", nargs="+", metavar="URL")
    load.add_argument("--rate", type=int, default=300, help="requests a second (default: 300)")
    load.add_argument("--keepalive", action="store_true", help="keep connections; else every request makes its own")
    load.add_argument("--timeout", type=float, default=2, help="seconds a request may take (default: 2)")
    load.add_argument("--for", type=float, default=600, dest="seconds", metavar="SECONDS", help="(default: 600)")
    view = argparse.ArgumentParser(add_help=False)
    view.add_argument("--since", type=float, default=0, metavar="T", help="only what ended at this time or later")
    view.add_argument("--until", type=float, default=float("inf"), metavar="T", help="only what ended by this time")
    view.add_argument(
        "--switched", type=float, metavar="T", help="tell how long the old colour answered after this time"
    )
    view.add_argument("--old", default="blue", metavar="COLOR", help="that colour (default: blue)")
    view.add_argument("--timeline", action="store_true", help="show every second")
    view.add_argument("--json", action="store_true", help="print all figures as JSON")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for call, parents, help_text in (
        (run, [maybe_place, load, view], "make traffic, then print the report"),
        (start, [place, load], "make traffic in the background"),
        (stop, [place, view], "end the traffic in the background, print the report"),
        (show, [place, view], "print the report of traffic that has ended"),
    ):
        commands.add_parser(call.__name__, parents=parents, help=help_text).set_defaults(call=call)
    options = parser.parse_args()
    try:
        return options.call(options)
    except (Failure, ValueError) as error:
        print(f"traffic: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

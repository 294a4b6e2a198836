# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count lost packets: UDP requests and new TCP connections to the VIPs, from inside the client's network namespace.

One thread, one selector. A request is lost when no answer came at all, and counted apart, as late, when one came
after the timeout: no packet was lost then. The sockets are emptied before anything is judged, so a prober that the
machine did not let run does not report its own pauses as loss. A connection that ends well after the timeout is late,
too, unless the client's kernel had to send something of it again.

A connection that is open while a router's set of next hops changes may be hashed to another node, which doesn't know
it and resets it. No packet is lost then, and every such change does it, whoever makes it: these are counted apart, as
moved. A reset at any other time is a failure.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import ipaddress
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FAMILIES = {4: "ipv4", 6: "ipv6"}
TICK = 0.01  # seconds between two looks at what is due
CATCH_UP = 10  # requests at most per family and tick, so that a pause is not followed by one big burst
STOP_AFTER_STALL = 1.0  # seconds of backlog that are still made up for; older ones are counted as `skipped`
MAGIC = struct.Struct("!8sQ")
PATIENCE = 10.0  # seconds after which a connection that is late has failed
# Where linux/tcp.h has tcpi_total_retrans in struct tcp_info.
RETRANSMITTED = struct.Struct("100xI")


@dataclass
class Pace:
    """How many events are due at a constant rate since the start: no drift, whatever the loop's own pauses."""

    rate: float
    started: float
    done: int = 0
    skipped: int = 0

    def behind(self, now: float) -> int:
        """Events that are due and weren't begun or skipped."""
        return int((now - self.started) * self.rate) - self.done

    def due(self, now: float) -> int:
        """Events due now, at most CATCH_UP."""
        behind = self.behind(now)
        if behind > STOP_AFTER_STALL * self.rate:
            drop = behind - int(STOP_AFTER_STALL * self.rate)
            self.done += drop
            self.skipped += drop
            behind -= drop
        due = max(0, min(behind, CATCH_UP))
        self.done += due
        return due


@dataclass
class Family:
    """One address family's targets, sockets and counts."""

    version: int
    targets: list[str]
    sockets: list[socket.socket] = field(default_factory=list)
    sent: int = 0
    # When those were sent that have no answer after the timeout, by their number.
    lost: dict[int, float] = field(default_factory=dict)
    # Seconds that answers after the timeout took.
    late: list[float] = field(default_factory=list)
    tcp_new: int = 0
    tcp_failed: list[float] = field(default_factory=list)
    tcp_late: int = 0
    # Reset after they were established: (began, ended).
    tcp_reset: list[tuple[float, float]] = field(default_factory=list)

    @property
    def inet(self) -> socket.AddressFamily:
        return socket.AF_INET if self.version == 4 else socket.AF_INET6


@dataclass
class Attempt:
    """One new TCP connection on its way: connect, one line there and back, close."""

    family: Family
    sock: socket.socket
    started: float
    line: bytes
    got: bytes = b""
    wrote: bool = False

    def sent_again(self) -> bool:
        """Whether the kernel had to retransmit something."""
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, RETRANSMITTED.size)
        return RETRANSMITTED.unpack(info) != (0,)


class Router:
    """Samples the kernel's next hops in one namespace through one `ip -batch` process, which costs no fork a sample."""

    def __init__(self, name: str, targets: list[str]) -> None:
        self.name = name
        self.targets = targets
        self.process: subprocess.Popen[bytes] | None = None
        self.asked: deque[str] = deque()
        self.buffer = b""
        self.answers: dict[str, list[str]] = {}
        self.last: dict[str, list[str] | None] = {}
        # When the answers before were asked for, and those that come now: between both lies what has changed.
        self.asked_before = self.asked_at = 0.0

    def start(self) -> int:
        """Start the process; returns the descriptor to read answers from."""
        # `-force`: a target without a route must not end the batch. Errors go to the same pipe: they are answers too.
        self.process = subprocess.Popen(
            ["ip", "-n", self.name, "-j", "-force", "-batch", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.asked.clear()
        self.buffer = b""
        return self.process.stdout.fileno()

    def ask(self) -> None:
        """Ask for every target's route, unless the last answers are still on their way."""
        if self.asked or self.process is None or self.process.stdin is None:
            return
        # `get fibmatch` takes both families in one batch and shows all next hops of the route that would be used.
        with contextlib.suppress(OSError):
            self.process.stdin.write("".join(f"route get fibmatch {t}\n" for t in self.targets).encode())
            self.process.stdin.flush()
            self.asked.extend(self.targets)
            self.asked_before, self.asked_at = self.asked_at, time.monotonic()
            self.answers = {}

    def read(self) -> bool | None:
        """True when a round of answers is complete, False when not, None when the process has ended."""
        assert self.process is not None
        assert self.process.stdout is not None
        try:
            data = os.read(self.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        if not data:
            return None
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            if not self.asked:
                break
            if line.startswith(b"["):
                self.answers[self.asked.popleft()] = hops_of(json.loads(line))
            elif line.startswith(b"Command failed"):  # the line after "Network is unreachable": no route
                self.answers[self.asked.popleft()] = []
        return not self.asked and bool(self.answers)

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            self.process = None


def hops_of(answer: list[dict[str, Any]]) -> list[str]:
    """Next hop addresses of `ip -j route get fibmatch`, sorted."""
    hops: set[str] = set()
    for route in answer:
        for part in [route, *route.get("nexthops", [])]:
            # An IPv4 route over an IPv6 next hop has `via: {family, host}` in place of `gateway`.
            hop = part.get("gateway") or (part.get("via") or {}).get("host")
            if hop:
                hops.add(hop)
    return sorted(hops)


class Prober:
    """The whole probe; run() returns the result, report() turns the counts into JSON data."""

    def __init__(
        self,
        targets: list[str],
        *,
        port: int,
        udp_rate: float = 200,
        tcp_rate: float = 10,
        sockets: int = 64,
        timeout: float = 1.0,
        routers: list[str] | None = None,
        sample: float = 0.25,
    ) -> None:
        self.port = port
        self.timeout = timeout
        self.sample = sample
        self.udp_rate, self.tcp_rate = udp_rate, tcp_rate
        self.families = []
        for version in FAMILIES:
            mine = [t for t in targets if ipaddress.ip_address(t).version == version]
            if mine:
                self.families.append(Family(version, mine))
        self.selector = selectors.DefaultSelector()
        for family in self.families:
            for _unused in range(sockets):
                sock = socket.socket(family.inet, socket.SOCK_DGRAM)
                sock.setblocking(False)
                sock.bind(("", 0))
                family.sockets.append(sock)
                self.selector.register(sock, selectors.EVENT_READ, self._read_udp)
        self.routers = [Router(name, targets) for name in routers or []]
        self.run_id = os.urandom(8)
        self.sequence = 0
        self.pending: dict[int, tuple[float, Family]] = {}  # in the order of sending
        self.attempts: dict[int, Attempt] = {}
        self.next_hops: list[list[Any]] = []
        # Family, and between which moments a router changed from one known set of next hops to another.
        self.changes: list[tuple[int, float, float]] = []
        self.stopping = False
        self.started = 0.0
        self.started_epoch = 0.0

    # -- UDP

    def _send(self, family: Family, now: float) -> None:
        sequence = self.sequence
        self.sequence += 1
        sock = family.sockets[family.sent % len(family.sockets)]
        # The target changes after each round over the sockets, so that every source port meets every target.
        target = family.targets[family.sent // len(family.sockets) % len(family.targets)]
        family.sent += 1
        self.pending[sequence] = (now, family)
        # No route, or an ICMP error of an earlier packet: this request has no answer.
        with contextlib.suppress(OSError):
            sock.sendto(MAGIC.pack(self.run_id, sequence), (target, self.port))

    def _read_udp(self, key: selectors.SelectorKey, _events: int) -> None:
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        while True:
            try:
                data = sock.recv(2048)
            except BlockingIOError:
                return
            except OSError:
                continue
            if len(data) != MAGIC.size:
                continue
            run_id, sequence = MAGIC.unpack(data)
            if run_id == self.run_id and self.pending.pop(sequence, None) is None:
                for family in self.families:
                    sent = family.lost.pop(sequence, None)
                    if sent is not None:
                        family.late.append(time.monotonic() - sent)

    # -- TCP

    def _connect(self, family: Family, now: float) -> None:
        number = family.tcp_new
        family.tcp_new += 1
        target = family.targets[number % len(family.targets)]
        sock = socket.socket(family.inet, socket.SOCK_STREAM)
        sock.setblocking(False)
        attempt = Attempt(family, sock, now, f"{self.run_id.hex()} {number}\n".encode())
        error = sock.connect_ex((target, self.port))
        if error not in (0, errno.EINPROGRESS):
            self._tcp_end(attempt, ok=False)
            return
        self.attempts[sock.fileno()] = attempt
        self.selector.register(sock, selectors.EVENT_WRITE, self._step_tcp)

    def _step_tcp(self, key: selectors.SelectorKey, _events: int) -> None:
        attempt = self.attempts[key.fd]
        try:
            if not attempt.wrote:
                error = attempt.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
                attempt.sock.send(attempt.line)
                attempt.wrote = True
                self.selector.modify(attempt.sock, selectors.EVENT_READ, self._step_tcp)
                return
            data = attempt.sock.recv(2048)
        except BlockingIOError:
            return
        except ConnectionResetError:
            attempt.family.tcp_reset.append((attempt.started, time.monotonic()))
            self._tcp_end(attempt, ok=None)
            return
        except OSError:
            self._tcp_end(attempt, ok=False)
            return
        attempt.got += data
        if attempt.got == attempt.line:
            self._tcp_end(attempt, ok=True)
        elif not data:
            self._tcp_end(attempt, ok=False)

    def _tcp_end(self, attempt: Attempt, *, ok: bool | None) -> None:
        """Closes it. ok None: what its end means is judged in the report, when all changes are known."""
        if self.attempts.pop(attempt.sock.fileno(), None) is not None:
            self.selector.unregister(attempt.sock)
        if ok and time.monotonic() - attempt.started >= self.timeout:
            ok = not attempt.sent_again()
            attempt.family.tcp_late += ok
        attempt.sock.close()
        if ok is False:
            attempt.family.tcp_failed.append(attempt.started)

    # -- routers

    def _read_router(self, key: selectors.SelectorKey, _events: int) -> None:
        router = next(r for r in self.routers if r.process and r.process.stdout and r.process.stdout.fileno() == key.fd)
        complete = router.read()
        if complete is None:  # the namespace is gone or not there yet: unknown, asked again with the next sample
            self.selector.unregister(key.fd)
            router.stop()
            self._note_hops(router, None)
        elif complete:
            self._note_hops(router, router.answers)

    def _note_hops(self, router: Router, answers: dict[str, list[str]] | None) -> None:
        now = time.monotonic()
        at = round(now - self.started, 3)
        for family in self.families:
            hops = None if answers is None else sorted({h for t in family.targets for h in answers.get(t, [])})
            name = FAMILIES[family.version]
            if name not in router.last or router.last[name] != hops:
                if router.last.get(name) and hops:
                    self.changes.append((family.version, router.asked_before, now))
                router.last[name] = hops
                self.next_hops.append([at, router.name, name, hops])

    def _sample_routers(self) -> None:
        for router in self.routers:
            if router.process is None:
                self.selector.register(router.start(), selectors.EVENT_READ, self._read_router)
            router.ask()

    # -- the loop

    def _judge(self, now: float) -> None:
        """Give up on what is older than the timeout; `now` was read BEFORE the sockets were emptied."""
        while self.pending:
            sequence, (sent, family) = next(iter(self.pending.items()))
            if now - sent < self.timeout:
                break
            del self.pending[sequence]
            family.lost[sequence] = sent
        for attempt in [a for a in self.attempts.values() if now - a.started >= self.timeout]:
            if now - attempt.started >= PATIENCE or attempt.sent_again():
                self._tcp_end(attempt, ok=False)

    def _drain(self, wait: float) -> None:
        """Handle what is readable; TCP takes several steps, so go on until nothing is left."""
        events = self.selector.select(wait)
        for _unused in range(100):
            if not events:
                return
            for key, mask in events:
                key.data(key, mask)
            events = self.selector.select(0)

    def run(self, *, duration: float | None = None, until_file: Path | None = None) -> dict[str, Any]:
        """Probe until the duration is over, the file exists or stop() was called; returns the result."""
        self.started = now = time.monotonic()
        self.started_epoch = time.time()
        udp = [(f, Pace(self.udp_rate, now)) for f in self.families]
        tcp = [(f, Pace(self.tcp_rate, now)) for f in self.families]
        next_sample = next_look = now
        ended = now
        while not self.stopping:
            now = time.monotonic()
            if duration is not None and now - self.started >= duration:
                break
            if until_file is not None and now >= next_look:
                if until_file.exists():
                    break
                next_look = now + 0.1
            for family, pace in udp:
                for _unused in range(pace.due(now)):
                    self._send(family, time.monotonic())
            for family, pace in tcp:
                for _unused in range(pace.due(now)):
                    self._connect(family, time.monotonic())
            if now >= next_sample:
                self._sample_routers()
                next_sample = max(next_sample + self.sample, now)
            ended = before = time.monotonic()
            self._drain(max(0.0, TICK - (before - now)))
            self._judge(before)
        deadline = time.monotonic() + PATIENCE
        while (self.pending or self.attempts) and time.monotonic() < deadline + TICK:
            before = time.monotonic()
            self._drain(TICK)
            self._judge(before)
        self._drain(0)
        self._judge(float("inf"))
        for router in self.routers:
            for family in self.families:
                name = FAMILIES[family.version]
                if name in router.last:
                    self.next_hops.append([round(ended - self.started, 3), router.name, name, router.last[name]])
            router.stop()
        for family in self.families:
            for sock in family.sockets:
                sock.close()
        return self.report(ended, skipped=sum(p.skipped + p.behind(ended) for _unused, p in udp + tcp))

    def stop(self) -> None:
        """End the run at the next tick."""
        self.stopping = True

    def _is_moved(self, family: Family, began: float, ended: float) -> bool:
        """Whether a router changed the family's next hops while a connection was open."""
        return any(
            version == family.version and since <= ended and began <= until for version, since, until in self.changes
        )

    def report(self, ended: float, *, skipped: int) -> dict[str, Any]:
        """The counts as JSON data; times are seconds since `started`, `started` is epoch seconds."""
        at = self.started
        moved = {f.version: [reset for reset in f.tcp_reset if self._is_moved(f, *reset)] for f in self.families}
        for f in self.families:
            f.tcp_failed += [began for began, ended in f.tcp_reset if (began, ended) not in moved[f.version]]
        bins = Counter(int((t - at) * 10) for f in self.families for t in f.lost.values())
        families = {
            FAMILIES[f.version]: {
                "sent": f.sent,
                "lost": len(f.lost),
                "first_loss": round(min(f.lost.values()) - at, 3) if f.lost else None,
                "last_loss": round(max(f.lost.values()) - at, 3) if f.lost else None,
                "tcp_new": f.tcp_new,
                "tcp_failed": len(f.tcp_failed),
                "tcp_late": f.tcp_late,
                "tcp_moved": len(moved[f.version]),
                "tcp_failed_at": [round(t - at, 3) for t in sorted(f.tcp_failed)[:1000]],
            }
            for f in self.families
        }
        return {
            "udp_sent": sum(f.sent for f in self.families),
            "udp_lost": sum(len(f.lost) for f in self.families),
            "tcp_new": sum(f.tcp_new for f in self.families),
            "tcp_failed": sum(len(f.tcp_failed) for f in self.families),
            "tcp_late": sum(f.tcp_late for f in self.families),
            "tcp_moved": sum(map(len, moved.values())),
            "seconds": round(ended - at, 3),
            "started": round(self.started_epoch, 3),
            "families": families,
            "lost_per_100ms": [[n / 10, bins[n]] for n in sorted(bins)],
            "next_hops": self.next_hops,
            "udp_late": sum(len(f.late) for f in self.families),
            "latest": round(max((seconds for f in self.families for seconds in f.late), default=0), 3),
            "skipped": skipped,  # requests that this machine did not let the prober send in time
        }


def summary(result: dict[str, Any]) -> str:
    """One line for people."""
    line = (
        f"prober: {result['udp_sent']} UDP requests, {result['udp_lost']} lost, {result['udp_late']} late; "
        f"{result['tcp_new']} new TCP connections, {result['tcp_failed']} failed, {result['tcp_late']} late, "
        f"{result['tcp_moved']} moved; "
        f"{result['seconds']:.1f} s"
    )
    for name, counts in result["families"].items():
        if counts["lost"]:
            line += f"; {name} lost from {counts['first_loss']:.1f} s to {counts['last_loss']:.1f} s"
    return line


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 whatever was lost: the figures are the result; 2 when nothing could be probed."""
    parser = argparse.ArgumentParser(prog="python -m lab.prober", description=__doc__.splitlines()[0])
    parser.add_argument("--targets", nargs="+", required=True, metavar="ADDRESS", help="the VIPs, IPv4 and IPv6")
    parser.add_argument("--port", type=int, default=7, help="port of the echo service, UDP and TCP (default 7)")
    parser.add_argument("--udp-rate", type=float, default=200, help="UDP requests per second and family")
    parser.add_argument("--tcp-rate", type=float, default=10, help="new TCP connections per second and family")
    parser.add_argument("--sockets", type=int, default=64, help="UDP source ports per family")
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds after which an answer is late")
    parser.add_argument("--routers", nargs="*", default=[], metavar="NETNS", help="namespaces whose next hops to note")
    parser.add_argument("--sample", type=float, default=0.25, help="seconds between two looks at the next hops")
    parser.add_argument("--duration", type=float, help="seconds; without it: until the file exists or SIGTERM")
    parser.add_argument("--until-file", type=Path, help="stop as soon as this file exists")
    parser.add_argument("--out", type=Path, help="write the result there as JSON")
    args = parser.parse_args(argv)
    try:
        prober = Prober(
            args.targets,
            port=args.port,
            udp_rate=args.udp_rate,
            tcp_rate=args.tcp_rate,
            sockets=args.sockets,
            timeout=args.timeout,
            routers=args.routers,
            sample=args.sample,
        )
    except ValueError as error:
        print(f"prober: --targets wants addresses: {error}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: prober.stop())
    result = prober.run(duration=args.duration, until_file=args.until_file)
    if args.out:
        part = args.out.with_name(f"{args.out.name}.part")
        part.write_text(json.dumps(result) + "\n", encoding="utf-8")
        part.replace(args.out)
    print(summary(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

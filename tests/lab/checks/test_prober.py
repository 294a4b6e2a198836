# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prober counts what is lost and nothing else: client, router with ECMP and two echo nodes in plain namespaces."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import network, prober

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
VIP4, VIP6 = "198.51.100.10", "2001:db8:100::10"
PORT = 7007

ECHO = """
import contextlib, selectors, socket, sys
selector = selectors.DefaultSelector()
listeners = []
for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
    s = socket.socket(socket.AF_INET6, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # SO_RCVBUFFORCE: a busy machine may let this wait for seconds, and that is no loss.
    s.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)
    s.bind(("::", int(sys.argv[1])))
    if kind == socket.SOCK_STREAM:
        s.listen(1024)
        listeners.append(s)
    selector.register(s, selectors.EVENT_READ)
print("up", flush=True)
while True:
    for key, _ in selector.select():
        s = key.fileobj
        if s.type == socket.SOCK_DGRAM:
            data, peer = s.recvfrom(2048)
            s.sendto(data, peer)
        elif s in listeners:
            selector.register(s.accept()[0], selectors.EVENT_READ)
        else:
            selector.unregister(s)
            with s, contextlib.suppress(OSError):
                s.sendall(s.recv(2048))
"""
# SO_LINGER of 0 s: close() sends a reset.
RESETTING = """
import socket, struct, sys
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("up", flush=True)
while True:
    c, _ = s.accept()
    c.recv(2048)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
"""


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


class Net:
    """client -- router == node-1, node-2; all in namespaces of this test's own."""

    def __init__(self, prefix: str) -> None:
        self.names = {role: f"{prefix}-{role}" for role in ("client", "router", "n1", "n2")}
        self.echo: dict[str, subprocess.Popen[str]] = {}
        self.processes: list[subprocess.Popen[str]] = []

    def build(self) -> None:
        for name in self.names.values():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        for role in self.names:
            # Else the link-local address is tentative for a second and neighbour discovery loses that second.
            self.sysctl(role, "ipv6.conf.default.accept_dad", "0")
        for index, role in enumerate(("client", "n1", "n2")):
            self.link(role, index)
        for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            self.sysctl("router", key, "1")
        for key in ("ipv4.fib_multipath_hash_policy", "ipv6.fib_multipath_hash_policy"):
            self.sysctl("router", key, "1")
        self.routes("n1", "n2")
        for role in ("n1", "n2"):
            for vip, length in ((VIP4, 32), (VIP6, 128)):
                ip("-n", self.names[role], "addr", "add", f"{vip}/{length}", "dev", "lo")
            self.start_echo(role)

    def link(self, role: str, index: int) -> None:
        router, name = self.names["router"], self.names[role]
        ip("-n", router, "link", "add", role, "type", "veth", "peer", "name", "eth0", "netns", name)
        for space, dev, host in ((router, role, 1), (name, "eth0", 2)):
            ip("-n", space, "addr", "add", f"10.77.{index}.{host}/24", "dev", dev)
            ip("-n", space, "addr", "add", f"fd77:{index}::{host}/64", "dev", dev, "nodad")
            ip("-n", space, "link", "set", dev, "up")
        ip("-n", name, "route", "add", "default", "via", f"10.77.{index}.1")
        ip("-n", name, "route", "add", "default", "via", f"fd77:{index}::1")

    def routes(self, *roles: str) -> None:
        index = {"n1": 1, "n2": 2}
        for vip, hop in ((VIP4, "10.77.{}.2"), (VIP6, "fd77:{}::2")):
            hops = [word for r in roles for word in ("nexthop", "via", hop.format(index[r]))]
            ip("-n", self.names["router"], "route", "replace", vip, *hops)

    def sysctl(self, role: str, key: str, value: str) -> None:
        path = "/proc/sys/net/" + key.replace(".", "/")
        self.run(role, ["sh", "-c", f"echo {value} > {path}"])

    def run(self, role: str, argv: list[str]) -> None:
        subprocess.run(["ip", "netns", "exec", self.names[role], *argv], check=True)

    def start_echo(self, role: str, program: str = ECHO) -> None:
        argv = ["ip", "netns", "exec", self.names[role], sys.executable, "-c", program, str(PORT)]
        self.echo[role] = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        stdout = self.echo[role].stdout
        assert stdout is not None
        assert stdout.readline().strip() == "up"

    def kill_echo(self, role: str) -> None:
        process = self.echo.pop(role)
        process.kill()
        process.communicate()

    def probe(self, out: Path, *args: str, targets: tuple[str, ...] = (VIP4, VIP6)) -> subprocess.Popen[str]:
        argv = ["ip", "netns", "exec", self.names["client"], sys.executable, "-m", "lab.prober", "--targets", *targets]
        argv += ["--port", str(PORT), "--routers", self.names["router"], "--out", str(out), *args]
        env = {**os.environ, "PYTHONPATH": str(Path(prober.__file__).parents[1])}
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env)
        self.processes.append(process)
        return process

    def sends(self, number: int) -> None:
        """Returns when a prober has sent so many more: by that it is known to run, however slow the machine is."""
        client = self.names["client"]
        before = network.udp_sent(client)
        wait_for(lambda: network.udp_sent(client) >= before + number)

    def destroy(self) -> None:
        for process in [*self.echo.values(), *self.processes]:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net(f"pb{os.getpid()}")
    try:
        net.build()
        yield net
    finally:
        net.destroy()


def result_of(process: subprocess.Popen[str], out: Path) -> dict[str, Any]:
    stdout, _unused = process.communicate(timeout=600)
    assert process.returncode == 0
    assert stdout.startswith("prober: ")
    assert stdout.count("\n") == 1
    return json.loads(out.read_text())


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


@needs_root
def test_nothing_is_lost_when_nothing_is_broken(net: Net, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = result_of(net.probe(out, "--duration", "3"), out)
    assert result["udp_lost"] == 0, result
    assert result["tcp_failed"] == 0
    assert result["lost_per_100ms"] == []
    for family in ("ipv4", "ipv6"):
        counts = result["families"][family]
        # Requests of the rate were sent for as long as it ran, or this machine did not let us and the prober says so.
        assert counts["sent"] + result["skipped"] >= 200 * result["seconds"] - 2
        assert counts["tcp_new"] + result["skipped"] >= 10 * result["seconds"] - 2
        assert counts["first_loss"] is None
        assert counts["last_loss"] is None
    first = {row[2]: row[3] for row in reversed(result["next_hops"])}
    assert first == {"ipv4": ["10.77.1.2", "10.77.2.2"], "ipv6": ["fd77:1::2", "fd77:2::2"]}


@needs_root
def test_loss_is_seen_when_one_nodes_echo_is_killed(net: Net, tmp_path: Path) -> None:
    out, stop = tmp_path / "out.json", tmp_path / "stop"
    process = net.probe(out, "--until-file", str(stop))
    net.sends(600)
    net.kill_echo("n1")
    net.sends(600)
    net.start_echo("n1")
    net.sends(600)
    stop.touch()
    result = result_of(process, out)
    for family in ("ipv4", "ipv6"):
        counts = result["families"][family]
        # ECMP over the source ports: one of two nodes takes a good part of the flows, not all and not none.
        assert 30 < counts["lost"] < counts["sent"] * 0.6
        assert 0 < counts["first_loss"] <= counts["last_loss"] < result["seconds"]
        assert counts["tcp_failed"] > 0
        assert len(counts["tcp_failed_at"]) == counts["tcp_failed"]
    assert sum(n for _unused, n in result["lost_per_100ms"]) == result["udp_lost"]
    assert all(row[0] * 10 % 1 < 1e-6 or row[0] * 10 % 1 > 1 - 1e-6 for row in result["lost_per_100ms"])


@needs_root
def test_an_answer_after_the_timeout_is_late_and_not_lost(net: Net, tmp_path: Path) -> None:
    out, stop = tmp_path / "out.json", tmp_path / "stop"
    # So few that all of them fit into the socket's buffer while nobody reads it.
    process = net.probe(out, "--until-file", str(stop), "--udp-rate", "40")
    net.sends(40)
    net.echo["n1"].send_signal(signal.SIGSTOP)
    net.sends(80)
    # So that they are late.
    time.sleep(1.5)
    net.echo["n1"].send_signal(signal.SIGCONT)
    net.sends(40)
    stop.touch()
    result = result_of(process, out)
    assert result["udp_lost"] == 0, result
    assert result["udp_late"] > 0
    assert result["latest"] > 1
    # The kernel has answered them, only the echo did not.
    assert result["tcp_failed"] == 0
    assert result["tcp_late"] > 0


@needs_root
def test_a_connection_that_was_sent_again_has_failed(net: Net, tmp_path: Path) -> None:
    out, stop = tmp_path / "out.json", tmp_path / "stop"
    process = net.probe(out, "--until-file", str(stop))
    net.sends(400)
    for vip in (VIP4, VIP6):
        ip("-n", net.names["router"], "route", "replace", "blackhole", vip)
    net.sends(600)
    # At once in their place: without any route the client would be told so, and nothing be sent again.
    net.routes("n1", "n2")
    net.sends(1200)
    stop.touch()
    result = result_of(process, out)
    assert result["udp_lost"] > 0
    assert result["tcp_failed"] > 0


@needs_root
def test_next_hops_follow_the_kernel_fib(net: Net, tmp_path: Path) -> None:
    out, stop = tmp_path / "out.json", tmp_path / "stop"
    process = net.probe(out, "--until-file", str(stop), "--sample", "0.05")
    net.sends(400)
    net.routes("n2")
    net.sends(400)
    for vip in (VIP4, VIP6):
        ip("-n", net.names["router"], "route", "del", vip)
    # Without a route nothing is sent.
    time.sleep(1)
    stop.touch()
    rows = result_of(process, out)["next_hops"]
    both, one = ["10.77.1.2", "10.77.2.2"], ["10.77.2.2"]
    seen = [row[3] for row in rows if row[2] == "ipv4"]
    assert seen == [both, one, [], []]  # each change once, and what it was at the end
    assert [row[3] for row in rows if row[2] == "ipv6"][1:] == [["fd77:2::2"], [], []]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


@needs_root
def test_a_reset_counts_as_moved_only_while_a_router_changes_its_next_hops(net: Net, tmp_path: Path) -> None:
    for role in ("n1", "n2"):
        net.kill_echo(role)
        net.start_echo(role, RESETTING)
    out, stop = tmp_path / "out.json", tmp_path / "stop"
    process = net.probe(out, "--until-file", str(stop), "--tcp-rate", "100")
    net.sends(600)
    net.routes("n2")
    net.sends(600)
    stop.touch()
    result = result_of(process, out)
    assert result["tcp_moved"] > 0
    # How many are moved depends on how often this machine lets the prober look at the routers.
    assert result["tcp_failed"] > 0
    assert result["tcp_failed"] + result["tcp_moved"] == result["tcp_new"]


@needs_root
def test_a_stopped_prober_does_not_call_its_own_pause_a_loss(net: Net, tmp_path: Path) -> None:
    out, stop = tmp_path / "out.json", tmp_path / "stop"
    process = net.probe(out, "--until-file", str(stop))
    net.sends(400)
    for _unused in range(3):
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.6)  # longer than the timeout: the answers wait in the sockets
        process.send_signal(signal.SIGCONT)
        net.sends(100)
    stop.touch()
    result = result_of(process, out)
    assert result["udp_lost"] == 0, result
    assert result["tcp_failed"] == 0
    assert result["udp_sent"] > 0


@needs_root
def test_all_is_lost_and_the_routers_hops_are_unknown_when_there_is_no_network(net: Net, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    ip("-n", net.names["client"], "link", "set", "eth0", "down")
    process = net.probe(out, "--duration", "2", "--routers", "no-such-namespace")
    result = result_of(process, out)
    assert result["udp_sent"] > 0
    assert result["udp_lost"] == result["udp_sent"]
    assert result["tcp_failed"] == result["tcp_new"]
    assert {row[3] for row in result["next_hops"]} == {None}


@needs_root
def test_sigterm_ends_it_with_a_result(net: Net, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    process = net.probe(out)
    net.sends(10)
    process.send_signal(signal.SIGTERM)
    result = result_of(process, out)
    assert result["udp_sent"] > 0
    assert result["udp_lost"] == 0, result


def test_pace_keeps_the_rate_over_pauses_and_says_what_it_skipped() -> None:
    pace = prober.Pace(rate=200, started=0.0)
    sent = 0
    now = 0.0
    while now < 1.0:
        sent += pace.due(now)
        now += 0.013
    assert 195 <= sent <= 200
    assert pace.due(1.5) == prober.CATCH_UP  # never one big burst
    while pace.due(1.5):
        pass
    assert pace.done == 300
    assert pace.due(4.5) == prober.CATCH_UP
    assert pace.skipped == 400  # three seconds behind: one is made up for, two are said to be skipped


def test_hops_of_reads_gateways_nexthops_and_ipv6_next_hops_of_ipv4_routes() -> None:
    answer: list[dict[str, Any]] = [
        {
            "dst": "198.51.100.10",
            "nexthops": [{"gateway": "10.62.0.12"}, {"via": {"family": "inet6", "host": "fe80::1"}}],
        },
        {"dst": "198.51.100.10", "gateway": "10.62.0.11", "dev": "eth0"},
        {"dst": "198.51.100.10", "dev": "lo"},
    ]
    assert prober.hops_of(answer) == ["10.62.0.11", "10.62.0.12", "fe80::1"]


def test_a_target_that_is_no_address_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert prober.main(["--targets", "vip.example", "--duration", "0"]) == 2
    assert "vip.example" in capsys.readouterr().err

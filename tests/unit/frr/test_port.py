# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.net import AddressError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.place import Place
from ansible_collections.hitless.nodes.plugins.module_utils.frr.port import attempts


@contextlib.contextmanager
def port(kind, *, echo=False):
    """A socket of that kind on loopback; echo: it answers one datagram."""
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            one.listen()
        thread = threading.Thread(target=lambda: one.sendto(b"x", one.recvfrom(9)[1])) if echo else None
        if thread:
            thread.start()
        yield one.getsockname()[1]
        if thread:
            thread.join()


def tried(number, protocol, timeout=60.0):
    (found,) = attempts(["127.0.0.1"], number, protocol=protocol, vrf="default", timeout=timeout)
    return found["answers"], found["reason"]


def test_tcp():
    with port(socket.SOCK_STREAM) as number:
        assert tried(number, "tcp") == (True, "it accepts the connection")
    assert tried(number, "tcp") == (False, "connection refused")


def test_udp():
    with port(socket.SOCK_DGRAM, echo=True) as number:
        assert tried(number, "udp") == (True, "it answers")
    assert tried(number, "udp") == (False, "connection refused")
    with port(socket.SOCK_DGRAM) as number:
        assert tried(number, "udp", timeout=0.05) == (None, "no answer within 0.05 s")


def test_a_vrf_that_is_not_there_is_no_answer():
    (found,) = attempts(["127.0.0.1"], 9, protocol="tcp", vrf="no-such-vrf", timeout=1.0)
    assert found["answers"] is False


@pytest.mark.parametrize(("hosts", "number"), [(["127.0.0.1"], 0), (["127.0.0.1"], 65536), (["worker-1"], 80)])
def test_input_that_cannot_be_right(hosts, number):
    with pytest.raises((RouterError, AddressError)):
        attempts(hosts, number, protocol="tcp", vrf="default", timeout=1.0)


@pytest.mark.parametrize(("script", "words"), [("echo '[]'", "another network"), ("exit 1", "ip gave no answer by")])
def test_a_port_of_another_network_is_unknown(tmp_path, script, words):
    enter = tmp_path / "enter"
    enter.write_text(f"#!/bin/sh\n{script}\n")
    enter.chmod(0o755)
    found = attempts(["127.0.0.1"], 9, protocol="tcp", vrf="default", timeout=1.0, place=Place(f"{enter} exec frr"))
    assert found[0]["answers"] is None
    assert words in found[0]["reason"]

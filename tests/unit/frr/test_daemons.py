# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import daemons

SHOWN = """LoadState=loaded
Before=multi-user.target shutdown.target network.target
After=network-pre.target systemd-journald.socket network-online.target
"""


def process(folder, number, *words):
    (folder / str(number)).mkdir()
    (folder / str(number) / "cmdline").write_bytes("\0".join([*words, ""]).encode())


def test_the_arguments_of_the_one_daemon(tmp_path):
    process(tmp_path, 1, "/sbin/init")
    process(tmp_path, 20, "/usr/lib/frr/zebra", "-d", "-A", "127.0.0.1", "--v6-rr-semantics")
    (tmp_path / "self").mkdir()
    (tmp_path / "21").mkdir()
    assert daemons.arguments("zebra", tmp_path) == ["-d", "-A", "127.0.0.1", "--v6-rr-semantics"]
    assert daemons.arguments("bgpd", tmp_path) is None
    # Of two, nobody knows which one is asked.
    process(tmp_path, 22, "zebra", "-d")
    assert daemons.arguments("zebra", tmp_path) is None


@pytest.mark.parametrize(
    ("words", "port"),
    [
        (["-d"], 179),
        (["-p", "1790"], 1790),
        (["-p1790"], 1790),
        (["--bgp_port", "1790"], 1790),
        (["--bgp_port=0"], 0),
        (["-p"], None),
        (None, None),
    ],
)
def test_the_port_that_bgpd_listens_on(words, port):
    assert daemons.listen_port(words) == port


def test_whether_zebra_replaces_ipv6_routes_in_one_step():
    said = [daemons.v6_rr_semantics(words) for words in (["--v6-rr-semantics"], ["-d"], None)]
    assert said == [True, False, None]


def test_the_order_of_the_unit():
    found = daemons.unit_order(SHOWN)
    assert found
    assert "network-online.target" in found["after"]
    assert "network.target" in found["before"]
    assert daemons.unit_order("LoadState=not-found\nAfter=\nBefore=\n") is None
    assert daemons.unit_order("") is None

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.node.moved import moved

OLD = ["192.0.2.13", "2001:db8::13"]
RECORD = {"before": {"addresses": OLD, "node_addresses": OLD}}


def node(*addresses: str) -> dict[str, Any]:
    status = {"addresses": [{"type": "InternalIP", "address": each} for each in addresses]}
    return {"metadata": {"name": "worker-3"}, "spec": {}, "status": status}


def cilium_node(*addresses: str) -> dict[str, Any]:
    return {"spec": {"addresses": [{"type": "InternalIP", "ip": each} for each in addresses]}}


@pytest.mark.parametrize(
    ("record", "own", "theirs", "words"),
    [
        (RECORD, OLD, OLD, ""),
        (RECORD, [*OLD, "203.0.113.9"], OLD, ""),
        # The agent hasn't written it yet, or knows one family only.
        (RECORD, OLD, [], ""),
        (RECORD, OLD, OLD[:1], ""),
        (None, ["192.0.2.99"], [], ""),
        (
            RECORD,
            ["192.0.2.99", OLD[1]],
            OLD,
            "the Node had 192.0.2.13 at its claim, and has 192.0.2.99, 2001:db8::13 now",
        ),
        (RECORD, [], OLD, "the Node had 192.0.2.13, 2001:db8::13 at its claim, and has none now"),
        (RECORD, OLD, ["192.0.2.99"], "the CiliumNode had 192.0.2.13 at its claim, and has 192.0.2.99 now"),
        # Of an address that only the CiliumNode had.
        (
            {"before": {"addresses": [*OLD, "198.51.100.3"], "node_addresses": OLD}},
            OLD,
            OLD,
            "the node had 198.51.100.3 at its claim, and has 192.0.2.13, 2001:db8::13 now",
        ),
    ],
)
def test_what_has_changed_is_named(
    record: dict[str, Any] | None, own: list[str], theirs: list[str], words: str
) -> None:
    assert moved(record, node(*own), cilium_node(*theirs)) == words

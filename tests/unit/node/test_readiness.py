# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.node.readiness import Expected, NotBack, expected, missing

SINCE = datetime(2026, 3, 2, 22, 0, 1, 500000, tzinfo=UTC)
WANT = Expected("boot-1", agent=True, agent_since=SINCE)


def node(boot_id="boot-2", ready="True"):
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    return {"metadata": {"name": "worker-3"}, "status": {"nodeInfo": {"bootID": boot_id}, "conditions": conditions}}


def agent(started="2026-03-02T22:03:00Z", *, ready="True", deleted=False, container="cilium-agent"):
    metadata = {"name": "cilium-x", **({"deletionTimestamp": "2026-03-02T22:04:00Z"} if deleted else {})}
    state = {"running": {"startedAt": started}} if started else {"waiting": {}}
    return {
        "metadata": metadata,
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"name": container, "state": state}],
        },
    }


def test_missing_nothing():
    assert missing(node(), [agent()], WANT) == []


def test_missing_does_not_mind_a_second_that_the_api_cut_off():
    assert missing(node(), [agent("2026-03-02T22:00:01Z")], WANT) == []


@pytest.mark.parametrize(
    ("seen", "agents", "words"),
    [
        (node("boot-1"), [agent()], "a new boot (boot id is still boot-1)"),
        (node(""), [agent()], "a new boot"),
        (node(ready="False"), [agent()], "Ready (it says NotReady)"),
        (node(ready="Unknown"), [agent()], "Ready (its kubelet is silent)"),
        (node(ready=None), [agent()], "Ready (its kubelet is silent)"),
        (node(), [], "Cilium's agent (no agent pod on the node)"),
        (node(), [agent(ready="False")], "agent cilium-x is not Ready"),
        (node(), [agent(deleted=True)], "agent cilium-x is not Ready"),
        (node(), [agent("2026-03-02T21:00:00Z")], "has not been started since 2026-03-02T22:00:01.500Z"),
        (node(), [agent(None)], "has not been started since"),
        (node(), [agent(container="other")], "has not been started since"),
    ],
)
def test_missing_one_thing(seen, agents, words):
    found = missing(seen, agents, WANT)
    assert len(found) == 1
    assert words in found[0]


def test_missing_everything_is_said_at_once():
    assert len(missing(node("boot-1", "False"), [], WANT)) == 3


PARAMS = {"name": "worker-3", "rebooted": True, "boot_id": None, "agent": True}
RECORD = {
    "since": "2026-03-02T22:00:00.000Z",
    "before": {"boot_id": "boot-1", "addresses": ["192.0.2.13"]},
    "history": [
        {"phase": "claimed", "at": "2026-03-02T22:00:00.000Z"},
        {"phase": "off", "at": "2026-03-02T22:00:01.500Z"},
    ],
}


def test_expected_from_the_record():
    assert expected(RECORD, PARAMS) == WANT


def test_expected_since_the_claim_when_nobody_noted_the_power_off():
    assert expected({**RECORD, "history": []}, PARAMS).agent_since == datetime(2026, 3, 2, 22, tzinfo=UTC)


def test_expected_of_a_node_that_stays_on():
    assert expected(RECORD, {**PARAMS, "rebooted": False}) == Expected(None, True, None)


@pytest.mark.parametrize(
    ("record", "boot_id", "old"),
    [
        (RECORD, None, RECORD["before"]["boot_id"]),
        ({**RECORD, "history": [{"phase": "claimed", "at": RECORD["since"]}]}, None, None),
        (None, None, None),
        (None, "boot-0", "boot-0"),
    ],
)
def test_expected_without_the_option_is_what_the_record_or_the_boot_id_says(record, boot_id, old):
    assert expected(record, {**PARAMS, "rebooted": None, "boot_id": boot_id}).old_boot_id == old


def test_expected_from_the_option():
    assert expected(None, {**PARAMS, "boot_id": "boot-7", "agent": False}) == Expected("boot-7", False, None)


def test_expected_needs_a_boot_id_to_compare_with():
    with pytest.raises(NotBack, match="give the old one with option boot_id"):
        expected(None, PARAMS)

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor.registered import bgp_diagnosis
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import Picture, registered

AT = "2026-03-02T22:00:00Z"
AWAY = {"unreachable": True, "msg": "Task failed: ssh: connect to host r2: refused"}


@pytest.fixture
def picture() -> Picture:
    return Picture()


def test_a_cluster_that_cannot_be_read_is_unknown(picture: Picture) -> None:
    skipped = {"skipped": True, "skip_reason": "false"}
    failed = {"failed": True, "msg": "the Kubernetes API can't be reached"}
    found = registered(picture, cluster=failed, cilium={"skipped": True}, routes=skipped, policies=skipped)
    diagnosis = bgp_diagnosis(found, AT)
    assert (diagnosis["verdict"], diagnosis["stage"]) == ("unknown", 1)
    assert (diagnosis["reason"], diagnosis["nodes"]) == ("cluster: the Kubernetes API can't be reached", [])


def test_agents_and_routers_that_cannot_be_asked_say_why(picture: Picture) -> None:
    found = registered(picture, cilium={"failed": True, "msg": "no right to exec"})
    # Sessions that routers have up, and routes that they have, are proof enough.
    assert bgp_diagnosis(found, AT)["verdict"] == "pass"
    found["routes"]["answers"]["r2"] = AWAY
    found["policies"]["answers"]["r2"] = AWAY
    diagnosis = bgp_diagnosis(found, AT)
    assert diagnosis["verdict"] == "unknown"
    (said,) = [
        each for each in diagnosis["stages"][7]["findings"] if each["level"] == "unknown" and "r2" in each["subject"]
    ]
    assert said["reason"].startswith("unreachable by SSH: ")


def test_answers_carry_who_tried(picture: Picture) -> None:
    one = {"address": "192.168.77.128", "port": 80, "protocol": "tcp", "answers": False, "reason": "connection refused"}
    answers = {"results": [{"__router": "r1", "answers": [one]}, {"__router": "r2", **AWAY}]}
    diagnosis = bgp_diagnosis(registered(picture, answers=answers), AT)
    assert (diagnosis["verdict"], diagnosis["stage"]) == ("fail", 11)
    assert "192.168.77.128 port 80/tcp from r1: connection refused" in diagnosis["reason"]
    assert [each["level"] for each in diagnosis["stages"][10]["findings"]] == ["fail", "unknown"]

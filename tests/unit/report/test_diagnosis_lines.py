# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor.registered import bgp_diagnosis
from ansible_collections.hitless.nodes.plugins.module_utils.report import diagnosis_lines as doctor
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import Picture, registered

AT = "2026-03-02T22:00:00Z"


@pytest.fixture
def picture() -> Picture:
    return Picture()


def test_a_healthy_chain_is_a_line_for_each_stage_and_a_verdict(picture: Picture) -> None:
    diagnosis = bgp_diagnosis(registered(picture), AT)
    assert (diagnosis["verdict"], diagnosis["at"], diagnosis["nodes"]) == ("pass", AT, ["n1", "n2", "n3"])
    lines = doctor.diagnosis_lines(diagnosis, ["/r/bgp-doctor.json"])
    assert lines[0] == " 1  Service                  pass           Service shop/web: LoadBalancer, 192.168.77.128"
    assert "not asked for" in lines[10]
    assert lines[-2:] == ["Service shop/web: no stage fails", "/r/bgp-doctor.json"]


def test_what_fails_is_told_with_its_remedy_and_the_logs(picture: Picture) -> None:
    picture.entry["selector"] = {"matchLabels": {"bgp": "red"}}
    logs = [{"pod": "cilium-x", "node": "n1", "lines": ["level=error subsys=bgp-control-plane"]}]
    cluster = {**picture.cluster, "logs": logs, "logs_missing": ["no log of the operator: no right"]}
    diagnosis = bgp_diagnosis(registered(picture, cluster=cluster), AT)
    lines = doctor.diagnosis_lines(diagnosis)
    assert any(
        line.startswith(" 7 FAIL: Service shop/web, 192.168.77.128: Advertisement services selects") for line in lines
    )
    assert "log of cilium-x: level=error subsys=bgp-control-plane" in lines
    assert "no log of the operator: no right" in lines
    assert lines[-2].startswith("Service shop/web fails at stage 7 (advertisement): ")
    assert lines[-1].startswith("-> label the Service")


def test_what_has_the_same_remedy_is_told_once(picture: Picture) -> None:
    picture.state, picture.up = "active", False
    lines = doctor.diagnosis_lines(bgp_diagnosis(registered(picture), AT))
    (said,) = [line for line in lines if line.startswith(" 6 FAIL")]
    assert said.endswith("(and 5 more like it)")


def test_only_some_kinds_of_findings_of_a_stage_are_printed(picture: Picture) -> None:
    names = [f"m{number} permit 10" for number in range(doctor.MOST + 2)]
    text = "".join(f"route-map {name}\n match ip address prefix-list {name[:2]}\nexit\n!\n" for name in names)
    picture.running = picture.running.replace("route-map ALL permit 10", text + "route-map ALL permit 10")
    lines = doctor.diagnosis_lines(bgp_diagnosis(registered(picture), AT))
    assert sum(line.startswith(" 8 warning") for line in lines) == doctor.MOST
    assert "   and 2 others of stage 8, in the files" in lines


def test_defects_are_warnings(picture: Picture) -> None:
    picture.host["unit"] = {"after": ["network-online.target"], "before": ["network.target"]}
    lines = doctor.diagnosis_lines(bgp_diagnosis(registered(picture), AT))
    assert any(line.startswith(" 9 warning: router r1: frr.service has") for line in lines)
    assert lines[-1] == "Service shop/web: no stage fails"
    picture.asked = {"service": None, "vip": None}
    lines = doctor.diagnosis_lines(bgp_diagnosis(registered(picture), AT))
    assert any(line.startswith(" 9 FAIL: router r1: frr.service has") for line in lines)


def test_subjects() -> None:
    def subject(service: str | None, vip: str | None) -> str:
        return doctor.diagnosis_subject({"asked": {"service": service, "vip": vip}})

    assert subject("a/b", None) == "Service a/b"
    assert subject(None, "192.0.2.1") == "VIP 192.0.2.1"
    assert subject(None, None) == "the configuration"

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 1: a Service without an address to announce."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    WHOLE,
    fails,
)


def test_no_such_service_or_address(picture):
    picture.services = []
    fails(picture, 1, "Service shop/web: there is no such Service")
    picture.asked = {"service": None, "vip": "192.168.77.9"}
    fails(picture, 1, "VIP 192.168.77.9: no Service has this address")


def test_service_without_an_address_says_what_the_operator_says(picture):
    picture.service["status"] = {
        "conditions": [
            {
                "type": "cilium.io/IPAMRequestSatisfied",
                "status": "False",
                "reason": "out_of_ips",
                "message": "none left",
            }
        ]
    }
    fails(picture, 1, "no address yet (LB-IPAM says out_of_ips: none left)")
    fitting = [
        (picture.pools.clear, "there is no CiliumLoadBalancerIPPool"),
        (lambda: picture.pools.append(picture.pool), "blue could serve it"),
        (
            lambda: picture.pool["status"]["conditions"].append(
                picture.condition("cilium.io/IPsAvailable", "Unknown", "0")
            ),
            "has an address left",
        ),
        (lambda: picture.pool["status"]["conditions"][0].update(status="True"), "in conflict"),
        (lambda: picture.pool["spec"].update(disabled=True), "is disabled"),
        (lambda: picture.pool["spec"].update(serviceSelector={"matchLabels": {"a": "b"}}), "no pool's serviceSelector"),
    ]
    for change, said in fitting:
        change()
        found = [*picture.found(2, "fail"), *picture.found(2, "unknown")]
        assert any(said in line for line in found), said


def test_service_of_another_class_or_type(picture):
    picture.service["spec"]["loadBalancerClass"] = "example.org/other"
    fails(picture, 1, "loadBalancerClass is example.org/other")
    picture.asked = WHOLE
    assert picture.diagnose()["verdict"] == "pass"
    assert "left out: its loadBalancerClass is example.org/other" in picture.found(1, "note")[0]
    picture.asked = {"service": "shop/web", "vip": None}
    del picture.service["spec"]["loadBalancerClass"]
    picture.service["spec"].update(type="ExternalName", clusterIP="", clusterIPs=[])
    picture.service["status"] = {}
    fails(picture, 1, "of type ExternalName and has no address")


def test_a_family_asked_for_and_not_given_is_a_defect(picture):
    picture.service["spec"]["ipFamilies"] = ["IPv4", "IPv6"]
    assert picture.diagnose()["verdict"] == "pass"
    assert "no address of IPv6" in picture.found(1, "defect")[0]

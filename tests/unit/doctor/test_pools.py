# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 2: addresses and the pools that they are from."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    VIP,
    WHOLE,
    fails,
)


def test_address_from_another_pool_than_the_one_expected(picture):
    other = {**picture.pool, "metadata": {"name": "red"}}
    picture.pools = [
        {
            **other,
            "spec": {
                "blocks": [{"start": "192.168.77.100", "stop": "192.168.77.200"}],
                "serviceSelector": {"matchLabels": {"bgp": "red"}},
            },
        },
        {**picture.pool, "spec": {**picture.pool["spec"], "blocks": [{"cidr": "192.168.78.0/24"}]}},
    ]
    said = f"{VIP} is from pool red, whose serviceSelector doesn't select the Service"
    fails(picture, 2, said, "pool blue would select it")
    picture.pools = picture.pools[1:]
    fails(picture, 2, f"{VIP} is in no CiliumLoadBalancerIPPool (blue)")
    picture.pools = []
    assert picture.diagnose()["verdict"] == "pass"


def test_a_pool_in_conflict_or_disabled_keeps_what_it_gave(picture):
    picture.pool["status"]["conditions"] = [picture.condition("cilium.io/PoolConflict", "True", "overlaps red")]
    picture.pool["spec"]["disabled"] = True
    assert picture.diagnose()["verdict"] == "pass"
    assert "overlaps red" in picture.found(2, "defect")[0]
    assert "is disabled" in picture.found(2, "note")[0]
    picture.asked = WHOLE
    fails(picture, 2, "overlaps red")

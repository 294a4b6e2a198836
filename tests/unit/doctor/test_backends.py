# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 3: Services that nothing answers for."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    fails,
)


def test_backends_that_are_not_ready(picture):
    for each in picture.slices[0]["endpoints"]:
        each["conditions"] = {"ready": False}
    fails(picture, 3, "no ready endpoint (2 aren't ready)", "still announced", "kubernetes.io/service-name=web")
    picture.slices = []
    del picture.service["spec"]["selector"]
    fails(picture, 3, "it has no selector, so Kubernetes makes no endpoints for it")


def test_local_traffic_policy_wants_backends_on_nodes_that_announce(picture):
    picture.service["spec"]["externalTrafficPolicy"] = "Local"
    # n3 has none, so it isn't expected to announce either.
    assert picture.diagnose()["verdict"] == "pass"
    assert not any("from n3" in line for line in picture.found(8, "pass"))
    for name in ("n1", "n2"):
        picture.selected.remove(name)
        for node in (*picture.nodes, picture.cilium_nodes[name]):
            if node["metadata"]["name"] == name:
                node["metadata"]["labels"] = {}
    fails(picture, 3, "ready endpoints are on n1, n2 only")

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor.cilium_logs import redacted, telling

OLD = 'level=info msg="Cilium BGP Control Plane Controller now running..." subsys=bgp-control-plane'
BAD = 'level=error msg="Error while reconciling BGP" error="peer secret bgp-auth not found" subsys=bgp-control-plane'
NEW = 'time=2026-03-02T22:00:00Z level=warn msg="x" module=agent.controlplane.bgp-control-plane'
JSON = '{"level":"warning","msg":"Failed","subsys":"bgp-cp-operator"}'
OTHER = 'level=error msg="policy" subsys=policy'


def test_warnings_and_errors_of_our_subjects_come_first():
    assert telling("\n".join([OLD, BAD, OTHER, NEW, OLD]), "agent", 5) == [BAD, NEW]
    assert telling("\n".join([OLD, OTHER, OLD]), "agent", 1) == [OLD]
    assert telling(JSON + "\n" + BAD, "operator", 5) == [JSON]
    assert telling(OTHER, "agent", 5) == []


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('msg="x" password=hunter2 peer=tor-1', 'msg="x" password=*** peer=tor-1'),
        ('"authPassword":"hunter 2","peer":"tor-1"', '"authPassword":***,"peer":"tor-1"'),
        ("authToken: abc tcp-key=abc", "authToken: *** tcp-key=***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("saw eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2ln end", "saw *** end"),
        # The name of a Secret, and which of its keys is missing, are what one wants to know.
        ('secret=bgp-auth msg="secret has no key password"', 'secret=bgp-auth msg="secret has no key password"'),
        ("key=kube-system/bgp-auth", "key=kube-system/bgp-auth"),
    ],
)
def test_secrets_are_left_out(line, wanted):
    assert redacted(line) == wanted

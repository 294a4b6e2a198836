# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils.request.unknown import line, unknown

KNOWN = {"drain_timeout", "bgp_label", "bgp_label_value", "power_method"}


def test_a_mistyped_name_is_found_with_the_one_that_is_meant() -> None:
    assert unknown(["drain_timout", "bgp_lable", "power_method"], KNOWN) == {
        "drain_timout": "drain_timeout",
        "bgp_lable": "bgp_label",
    }


def test_an_inventory_may_have_names_of_others() -> None:
    assert unknown(["bgp_asn", "power_supplies", "ansible_host", "rack"], KNOWN) == {}


def test_a_name_from_the_command_line_is_meant_for_this_run() -> None:
    assert unknown(["power_wait", "rack"], KNOWN, typed={"power_wait", "rack"}) == {"power_wait": ""}


def test_the_line_names_both() -> None:
    assert line("drain_timout", "drain_timeout").endswith("has a variable drain_timout: did you mean drain_timeout?")
    assert "docs/variables.md" in line("power_wait", "")

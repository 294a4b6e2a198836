# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base import net


@pytest.mark.parametrize(
    ("text", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("FD00:0:0::1", "fd00::1"), ("fe80::1%eth0", "fe80::1")],
)
def test_address_has_one_spelling(text: str, expected: str) -> None:
    assert net.address(text) == expected


@pytest.mark.parametrize("text", ["", "worker-3", "192.0.2.0/24"])
def test_address_when_it_is_none(text: str) -> None:
    with pytest.raises(net.AddressError, match="isn't an IP address; give"):
        net.address(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.1.0.0/16", "10.1.0.0/16"), ("192.0.2.1", "192.0.2.1/32"), ("FD00:0::/64", "fd00::/64")],
)
def test_prefix_has_one_spelling(text: str, expected: str) -> None:
    assert net.prefix(text) == expected


@pytest.mark.parametrize("text", ["", "10.1.0.1/16", "10.1.0.0/33", "default", None])
def test_prefix_when_it_is_none(text: Any) -> None:
    with pytest.raises(net.AddressError, match="isn't an IP prefix"):
        net.prefix(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("192.0.2.1", "ipv4"), ("192.0.2.0/24", "ipv4"), ("::1", "ipv6"), ("::/0", "ipv6")]
)
def test_family(text: str, expected: str) -> None:
    assert net.family(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("192.0.2.1", True), ("::1", True), ("eth1", False), ("::/0", False)])
def test_is_address(text: str, expected: bool) -> None:
    assert net.is_address(text) is expected


@pytest.mark.parametrize(("text", "expected"), [("FD00:0:0::1", "fd00::1"), ("eth1", "eth1")])
def test_spelled_leaves_what_is_no_address(text: str, expected: str) -> None:
    assert net.spelled(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("fd00:0::1", "FD00::1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("eth1", "eth1", True),
        ("eth1", "192.0.2.1", False),
        # What isn't known is the same as nothing, not even as something else that isn't known.
        (None, "192.0.2.1", False),
        (None, None, False),
        ("", "", False),
    ],
)
def test_same_address(one: str | None, other: str | None, expected: bool) -> None:
    assert net.same_address(one, other) is expected

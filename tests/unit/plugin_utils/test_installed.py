# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.plugin_utils._installed import has_collection


def test_a_collection_is_installed_or_not_also_where_its_namespace_is_unknown():
    assert has_collection("hitless.nodes")
    assert not has_collection("hitless.other")
    assert not has_collection("nobody.nothing")

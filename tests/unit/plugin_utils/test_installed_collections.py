# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.plugin_utils._installed import chart_tool_problems, has_collection


def test_a_collection_is_installed_or_not_also_where_its_namespace_is_unknown():
    assert has_collection("hitless.nodes")
    assert not has_collection("hitless.other")
    assert not has_collection("nobody.nothing")


def test_helm_must_be_there_for_a_chart(monkeypatch, tmp_path):
    assert "there is none at /nowhere/helm (agent_helm)" in chart_tool_problems("/nowhere/helm")[-1]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is none in the controller's PATH" in chart_tool_problems("")[-1]
    helm = tmp_path / "helm"
    helm.write_text("")
    helm.chmod(0o755)
    assert not any("there is none" in line for line in chart_tool_problems(""))

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.action.agent_chart import tool_problems


def test_helm_must_be_there(monkeypatch, tmp_path):
    (problem,) = [line for line in tool_problems("/nowhere/helm") if "helm" in line and "kubernetes.core" not in line]
    assert "there is none at /nowhere/helm (agent_helm)" in problem
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is none in the controller's PATH" in tool_problems("")[-1]
    helm = tmp_path / "helm"
    helm.write_text("")
    helm.chmod(0o755)
    assert not any("there is none" in line for line in tool_problems(""))

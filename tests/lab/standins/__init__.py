# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for kubelets, scheduler, cilium-operator and cilium-agents: ordinary API clients, not the real programs.

They do what the collection can see of the real ones, over the same API, so that they also run against a real server.
"""

#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: agent_chart
short_description: See what Cilium's Helm chart would do to the agents, and have helm apply it without restarting them
version_added: 0.1.0
description:
  - Lets helm render the chart. Refuses it if applying it would restart agents or lose values of the release. Also
    refuses it if it would bring other images or another version than the run asked for.
  - Applies it with C(updateStrategy.type=OnDelete) while the restarts are driven, and with its own values at the end.
    Helm neither waits nor rolls back by itself.
  - The collection kubernetes.core and helm must be on the controller. If one is missing, the module says so before any
    change.
  - Values may hold secrets. They are neither returned nor logged.
  - Runs only on the controller.
extends_documentation_fragment:
  - hitless.nodes.client
  - hitless.nodes.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  action:
    description: It is an action plugin and runs only on the controller.
    support: full
options:
  state:
    description:
      - V(checked) only reads.
      - V(applied) lets helm apply the chart. Check it first.
    type: str
    choices: [checked, applied]
    default: checked
  chart:
    description:
      - The chart as helm takes it. That is a folder, an archive, C(repo/name), C(oci://...), or a name together with
        O(chart_repo).
      - Required unless O(previous) is given.
    type: str
    default: ""
  chart_repo:
    description:
      - URL of the chart's repository.
    type: str
    default: ""
  version:
    description:
      - Version of the chart. By default the newest one, or that of the folder or archive.
    type: str
    default: ""
  values:
    description:
      - All values of the release. They win over those of O(values_files).
    type: dict
    default: {}
  values_files:
    description:
      - YAML files with values. A later file wins.
    type: list
    elements: str
    default: []
  drop_values:
    description:
      - Values of the release that may be lost, such as V(hubble.relay). A name includes everything below it.
    type: list
    elements: str
    default: []
  previous:
    description:
      - Name and revision of a release, RV(hitless.nodes.agent_rollout#module:release). The chart and the values that
        helm keeps of it in the cluster are used instead of O(chart) and O(values).
    type: dict
    default: {}
  release:
    description:
      - Name of the release.
    type: str
    default: cilium
  namespace:
    description:
      - Namespace of the release.
    type: str
    default: kube-system
  daemonset:
    description:
      - Name of the agents' DaemonSet in the chart.
    type: str
    default: cilium
  images:
    description:
      - The images to put on the nodes. By default all images of the chart.
    type: list
    elements: str
    default: []
  check_version:
    description:
      - Whether to compare the versions of the chart and of the agent's image, by the tags of the images.
    type: bool
    default: true
  driven:
    description:
      - Whether to apply it with C(OnDelete), so that no agent is restarted.
    type: bool
    default: false
  advice:
    description:
      - What to do if helm fails. The error message ends with it.
    type: str
    default: ""
  helm:
    description:
      - Path of helm. By default the one in the controller's C(PATH).
    type: str
    default: ""
seealso:
  - module: hitless.nodes.agent_rollout
  - module: hitless.nodes.release_chart
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: See what the chart would do
  hitless.nodes.agent_chart:
    chart: oci://quay.io/cilium/charts/cilium
    version: 1.19.1
    values_files: [cilium-values.yml]
  register: chart

- name: Let helm apply it, without restarting agents
  hitless.nodes.agent_chart:
    state: applied
    chart: oci://quay.io/cilium/charts/cilium
    version: 1.19.1
    values_files: [cilium-values.yml]
    driven: true
  when: not chart.applied
"""

RETURN = r"""
chart:
  description: Name and version of the chart.
  type: str
  returned: with O(state=checked)
  sample: cilium-1.19.1
images:
  description: The images to put on the nodes.
  type: list
  elements: str
  returned: with O(state=checked)
  sample: ["quay.io/cilium/cilium:v1.19.1", "quay.io/cilium/operator-generic:v1.19.1"]
agent_images:
  description: The images of the agents' DaemonSet.
  type: list
  elements: str
  returned: with O(state=checked)
  sample: ["quay.io/cilium/cilium:v1.19.1"]
applied:
  description: Whether the release already has this chart with these values.
  type: bool
  returned: with O(state=checked)
  sample: false
release:
  description: Name and revision of the release as it is now.
  type: dict
  returned: with O(state=checked)
  sample: {name: cilium, revision: 7}
"""

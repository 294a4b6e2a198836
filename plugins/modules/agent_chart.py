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
  - Has helm render the chart, and refuses it where applying it would restart agents, lose values of the release, or
    bring other images or another version than was asked for.
  - Applies it with C(updateStrategy.type=OnDelete) as long as the restarts are driven, and with its own values in the
    end. Helm neither waits, nor takes anything back by itself.
  - The collection kubernetes.core and helm must be on the controller. What is missing is said before any change.
  - Values may hold secrets. They are neither returned nor logged.
  - Runs on the controller only.
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
    description: It is an action plugin and runs on the controller only.
    support: full
options:
  state:
    description:
      - V(checked) only reads.
      - V(applied) has helm apply the chart. Check it before.
    type: str
    choices: [checked, applied]
    default: checked
  chart:
    description:
      - The chart as helm takes it, a folder, an archive, C(repo/name), C(oci://...), or a name beside O(chart_repo).
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
      - Files of YAML with values, the later one wins.
    type: list
    elements: str
    default: []
  drop_values:
    description:
      - Values that the release has and that may go, such as V(hubble.relay), which means all below it, too.
    type: list
    elements: str
    default: []
  previous:
    description:
      - Name and revision of a release, RV(hitless.nodes.agent_rollout#module:release). Its chart and its values are
        taken, as helm keeps them in the cluster, in the place of O(chart) and O(values).
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
      - The images that are put on the nodes. By default all images of the chart.
    type: list
    elements: str
    default: []
  check_version:
    description:
      - Whether the versions of the chart and of the agent's image are compared, by the tags of the images.
    type: bool
    default: true
  driven:
    description:
      - Whether to apply it with C(OnDelete), so that no agent is restarted.
    type: bool
    default: false
  advice:
    description:
      - What to do if helm fails. It ends the message.
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

- name: Have helm apply it, without restarting agents
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
  description: Whether the release is of this chart with these values already.
  type: bool
  returned: with O(state=checked)
  sample: false
release:
  description: Name and revision of the release as it is now.
  type: dict
  returned: with O(state=checked)
  sample: {name: cilium, revision: 7}
"""

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import chart_findings, helm_chart
from ansible_collections.hitless.nodes.plugins.plugin_utils import _reach
from ansible_collections.hitless.nodes.plugins.plugin_utils._installed import chart_tool_problems
from ansible_collections.hitless.nodes.plugins.plugin_utils._values import values_of

display = Display()

# How helm reaches the cluster, by the names of kubernetes.core's options. It takes client certificates only from a
# kubeconfig.
HELM_CLUSTER = ("kubeconfig", "context", "host", "api_key", "validate_certs", "ca_cert")
STRINGS = {"type": "list", "elements": "str", "default": []}
SPEC: dict[str, dict[str, Any]] = {
    **{name: {"type": "raw"} for name in _reach.CLUSTER.values()},
    "state": {"choices": ["checked", "applied"], "default": "checked"},
    "chart": {"type": "str", "default": ""},
    "chart_repo": {"type": "str", "default": ""},
    "version": {"type": "str", "default": ""},
    "values": {"type": "dict", "default": {}},
    "values_files": STRINGS,
    "drop_values": STRINGS,
    "previous": {"type": "dict", "default": {}},
    "release": {"type": "str", "default": "cilium"},
    "namespace": {"type": "str", "default": "kube-system"},
    "daemonset": {"type": "str", "default": "cilium"},
    "images": STRINGS,
    "check_version": {"type": "bool", "default": True},
    "driven": {"type": "bool", "default": False},
    "advice": {"type": "str", "default": ""},
    "helm": {"type": "str", "default": ""},
}


@dataclass(frozen=True)
class Chart:
    """A chart as helm finds it, with its values."""

    ref: str
    repo: str
    version: str
    values: dict[str, Any]

    @property
    def arguments(self) -> list[str]:
        """The arguments that name the chart for helm."""
        found = [self.ref]
        if self.version:
            found += ["--version", self.version]
        if self.repo:
            found += ["--repo", self.repo]
        return found


class ActionModule(ActionBase):
    """Says what a chart would do to Cilium's agents, or applies it, with helm on the controller."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the chart would do, or whether applying it has changed anything."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._task.args = _reach.options(_reach.CLUSTER, self._task.args, self._variables, self._templar.template)
        _validation, self._options = self.validate_argument_spec(argument_spec=SPEC)
        applies = self._options["state"] == "applied"
        try:
            problems = chart_tool_problems(self._options["helm"])
            if problems:
                raise HitlessError("; ".join(problems))
            with tempfile.TemporaryDirectory(prefix="hitless-chart-") as folder:
                chart = self._previous(folder) if self._options["previous"] else self._given()
                return self._apply(chart) if applies else self._check(chart)
        except HitlessError as exc:
            if not applies:
                raise AnsibleActionFail(f"nothing was changed, since the chart can't be applied: {exc.msg}") from exc
            advice = self._options["advice"]
            raise AnsibleActionFail(f"helm failed: {exc.msg}{'; ' if advice else ''}{advice}") from exc

    # Which chart

    def _given(self) -> Chart:
        """The chart that was named. If no folder or file here has the name, it is a chart elsewhere."""
        ref, options = self._options["chart"], self._options
        path = Path(ref).expanduser()
        values = values_of(options["values"], options["values_files"])
        return Chart(str(path.resolve()) if path.exists() else ref, options["chart_repo"], options["version"], values)

    def _previous(self, folder: str) -> Chart:
        """The chart and the values of an earlier revision, as helm keeps them in the cluster."""
        previous = self._options["previous"]
        arguments = {
            **self._cluster(tuple(_reach.CLUSTER.values())),
            "release": previous["name"],
            "revision": previous["revision"],
            "namespace": self._options["namespace"],
            "path": folder,
        }
        found = self._module("hitless.nodes.release_chart", arguments, check_mode=False)
        return Chart(folder, "", "", found["values"])

    @property
    def _release(self) -> str:
        """The name of the release."""
        return str(self._options["previous"].get("name") or self._options["release"])

    # What it would do

    def _check(self, chart: Chart) -> dict[str, Any]:
        options, is_previous = self._options, bool(self._options["previous"])
        served = self._module("kubernetes.core.k8s_cluster_info", self._cluster(HELM_CLUSTER), check_mode=False)
        release = self._release_now()
        rendered = self._rendered(chart, chart_findings.capabilities(served))
        wanted = chart_findings.Wanted(
            release=self._release,
            namespace=options["namespace"],
            values=chart.values,
            version=chart.version,
            # For the previous revision, the images of its chart. Those given for the other version don't count.
            images=[] if is_previous else options["images"],
            drop_values=options["drop_values"],
            daemonset=options["daemonset"],
            check_version=options["check_version"],
            is_previous=is_previous,
        )
        found = chart_findings.find(wanted, rendered, release)
        if found.problems or release is None:
            raise HitlessError("; ".join(found.problems))
        already = ", which is applied already" if found.applied else ""
        now = f"{release['chart']} (revision {release['revision']})"
        images = ", ".join(found.images)
        display.display(f"release {self._release}: {now} -> {rendered.name}{already}; images: {images}")
        return {
            "changed": False,
            "chart": rendered.name,
            "images": found.images,
            "agent_images": found.agent_images,
            "applied": found.applied,
            "release": {"name": self._release, "revision": int(release["revision"])},
        }

    def _release_now(self) -> dict[str, Any] | None:
        """The release as helm knows it, None if there is none."""
        arguments = {
            **self._helm_arguments(),
            "name": self._release,
            "namespace": self._options["namespace"],
            "release_state": ["all"],
        }
        found: dict[str, Any] | None = self._module("kubernetes.core.helm_info", arguments, check_mode=False).get(
            "status"
        )
        return found

    def _rendered(self, chart: Chart, capabilities: list[str]) -> chart_findings.Rendered:
        """What helm renders, with OnDelete and with the wanted strategy.

        kubernetes.core.helm_template would leave a file with the values behind. It also can't say what the cluster
        serves, and charts decide by that what they render.
        """
        shown = yaml.safe_load(self._helm(["show", "chart", *chart.arguments])) or {}
        where = ["--namespace", self._options["namespace"], "--is-upgrade", "--values", "-"]
        template = ["template", self._release, *chart.arguments, *where, *capabilities]
        rendered = []
        for values in (helm_chart.driven(chart.values), chart.values):
            rendered.append(list(yaml.safe_load_all(self._helm(template, values))))
        return chart_findings.Rendered(shown, *rendered)

    # Applying it

    def _apply(self, chart: Chart) -> dict[str, Any]:
        arguments = {
            **self._helm_arguments(),
            "release_name": self._release,
            "release_namespace": self._options["namespace"],
            "chart_ref": chart.ref,
            "chart_repo_url": chart.repo or None,
            "chart_version": chart.version or None,
            "release_values": helm_chart.driven(chart.values) if self._options["driven"] else chart.values,
            # The playbook drives the restarts. So helm must not wait for them: with OnDelete it would wait forever.
            # It must not roll back by itself either. That would give the DaemonSet its previous update strategy, and
            # restart agents out of turn.
            "wait": False,
            "atomic": False,
            # Earlier values of the release count only if they are in the given values. Values of another version may
            # mean something else now, and defaults that a new version needs would be missing.
            "reset_values": True,
            "reuse_values": False,
        }
        result = self._module("kubernetes.core.helm", arguments, check_mode=self._task.check_mode)
        return {"changed": bool(result.get("changed"))}

    # Running helm and modules

    def _cluster(self, names: Sequence[str]) -> dict[str, Any]:
        """How to reach the cluster, as far as the options say it."""
        return {name: self._options[name] for name in names if self._options[name] is not None}

    def _helm_arguments(self) -> dict[str, Any]:
        """What kubernetes.core's modules for helm have in common."""
        return {**self._cluster(HELM_CLUSTER), "binary_path": self._options["helm"] or None}

    def _helm(self, arguments: Sequence[str], values: dict[str, Any] | None = None) -> str:
        """What helm prints. values: for its `--values -`. Raises HitlessError with helm's message."""
        done = subprocess.run(
            [self._options["helm"] or "helm", *arguments],
            input=None if values is None else json.dumps(values),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise HitlessError(one_line(done.stderr))
        return done.stdout

    def _module(self, name: str, arguments: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
        """A module's result; raises HitlessError. The arguments are not logged, because values may hold secrets."""
        task = self._task
        before = task.no_log, task.check_mode
        task.no_log, task.check_mode = True, check_mode
        try:
            result: dict[str, Any] = self._execute_module(
                module_name=name, module_args=arguments, task_vars=self._variables
            )
        finally:
            task.no_log, task.check_mode = before
        if result.get("failed"):
            raise HitlessError(one_line(str(result.get("msg") or "it gave no reason")))
        return result


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())

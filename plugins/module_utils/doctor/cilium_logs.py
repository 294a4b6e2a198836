# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The lines of Cilium's logs that are about BGP and addresses of Services, without secrets."""

from __future__ import annotations

import re
from typing import Any

from ..cilium.agent_pod import AGENT_CONTAINER, AGENT_SELECTOR
from ..kube.api_errors import TRANSIENT, ApiError
from ..kube.client import Client, segment

OPERATOR_SELECTOR = "io.cilium/app=operator"
OPERATOR_CONTAINER = "cilium-operator"
# Subsystems. Older releases write them as subsys=..., newer ones as the end of module=...
SUBJECTS = {"agent": ("bgp-control-plane",), "operator": ("bgp-cp-operator", "lbipam", "lb-ipam")}
# Lines from the end of a log. An agent writes some hundred lines in an hour.
TAIL = 2000
SINCE = 3600
_BAD = re.compile(r'level"?[=:]"?(warn|warning|error|fatal)\b', re.IGNORECASE)
_SECRETS = (
    # A key that ends in such a word, with its value: password=x, "authToken": "x". The name of a Secret is not secret.
    re.compile(
        r'((?:pass(?:word|wd)|token|md5|(?:auth|api|private|tcp)[-_]?key)"?\s*[=:]\s*)("[^"]*"|\S+)', re.IGNORECASE
    ),
    re.compile(r"(\b(?:bearer|basic)\s+)(\S+)", re.IGNORECASE),
    re.compile(r"()(\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_.-]+)"),
)


def redacted(line: str) -> str:
    """A line without the values whose names sound like a secret."""
    for secret in _SECRETS:
        line = secret.sub(r"\1***", line)
    return line


def telling(text: str, kind: str, most: int) -> list[str]:
    """The last lines of a log about our subjects. If some of them are warnings or errors, only these."""
    about = [line for line in text.splitlines() if _is_about(line, SUBJECTS[kind])]
    bad = [line for line in about if _BAD.search(line)]
    return [redacted(line)[:500] for line in (bad or about)[-most:]]


def _is_about(line: str, subjects: tuple[str, ...]) -> bool:
    return any(subject in line for subject in subjects)


def read(client: Client, namespace: str, nodes: list[str], most: int) -> tuple[list[dict[str, Any]], list[str]]:
    """([{pod, node, lines}], why some are missing) of the agents on these nodes and of the operators."""
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    for kind, selector, container in (
        ("operator", OPERATOR_SELECTOR, OPERATOR_CONTAINER),
        ("agent", AGENT_SELECTOR, AGENT_CONTAINER),
    ):
        path = f"/api/v1/namespaces/{segment(namespace)}/pods"
        try:
            pods = client.list_all(path, labelSelector=selector)[0]
        except (ApiError, *TRANSIENT) as exc:
            missing.append(f"no log of the {kind}: {exc.msg}")
            continue
        if not pods:
            missing.append(
                f"no log of the {kind}: namespace {namespace} has no pod {selector} (check cilium_namespace)"
            )
        for pod in pods:
            node = (pod.get("spec") or {}).get("nodeName")
            if kind == "agent" and node not in nodes:
                continue
            name = pod["metadata"]["name"]
            try:
                text = client.text(
                    f"{path}/{segment(name)}/log", container=container, tailLines=TAIL, sinceSeconds=SINCE
                )
            except (ApiError, *TRANSIENT) as exc:
                missing.append(f"no log of {name}: {exc.msg}")
                # The right is for all pods of a namespace, so the others would be refused too.
                if getattr(exc, "status", None) == 403:
                    break
                continue
            found.append({"pod": name, "node": node, "lines": telling(text, kind, most)})
    return found, missing

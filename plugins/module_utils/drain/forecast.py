# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What the drain will meet, before the first change. Besides the pods, it reads budgets and endpoints once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..base.errors import HitlessError
from ..base.words import some
from ..kube.api_errors import TRANSIENT, Unauthorized
from ..kube.client import NAMES_ONLY, Client
from ..kube.pods import controller, is_finished
from .filters import is_terminating, skips_budgets, uses_emptydir
from .pdb import BUDGETS, Budget, keys_of

Pod = dict[str, Any]

SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
SERVICE = "kubernetes.io/service-name"
# All pods of one ReplicaSet have it, and hardly any others (the owner is compared, too).
HASH = "pod-template-hash"


def nothing() -> dict[str, Any]:
    """The forecast of a node without pods."""
    keys = ("budgets", "never", "bare", "emptydir", "last_endpoints", "all_replicas_here")
    return {key: [] for key in keys}


def title(pod: Pod) -> str:
    """namespace/name."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def of_pods(going: list[Pod]) -> dict[str, Any]:
    """What the pods that will be evicted show by themselves."""
    alive = [pod for pod in going if not is_finished(pod)]
    return {
        **nothing(),
        "bare": [title(pod) for pod in alive if controller(pod) is None],
        "emptydir": [title(pod) for pod in alive if uses_emptydir(pod)],
    }


def of_budgets(going: list[Pod], budgets: list[Budget]) -> dict[str, Any]:
    """How many evictions each budget allows now, and which pods can never be evicted as it is."""
    here: dict[str, list[str]] = {}
    never: list[dict[str, Any]] = []
    reasons = {budget.key: budget.never() for budget in budgets}
    for pod in going:
        metadata = pod["metadata"]
        keys = keys_of(metadata.get("labels") or {}, metadata["namespace"], budgets)
        for key in keys:
            here.setdefault(key, []).append(title(pod))
        why = "" if skips_budgets(pod) else _never(keys, reasons)
        if why:
            row = {"namespace": metadata["namespace"], "name": metadata["name"], "budget": ", ".join(keys), "why": why}
            never.append(row)
    rows = []
    for budget in budgets:
        if budget.key in here:
            why = reasons[budget.key]
            rows.append({**budget.numbers(), "pods_here": here[budget.key], "never": bool(why), "why": why})
    return {"budgets": rows, "never": never}


def _never(keys: list[str], reasons: dict[str, str]) -> str:
    """Why a pod behind these budgets can't be evicted, whatever happens to other pods; empty if it can."""
    if len(keys) > 1:
        return "more than one budget protects it, and the API evicts no such pod"
    return reasons[keys[0]] if keys else ""


def warnings(node: str, never: list[dict[str, Any]]) -> list[str]:
    """One line for each budget that can't allow an eviction. An operator may lift it, so it is no refusal."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in never:
        groups.setdefault((row["budget"], row["why"]), []).append(f"{row['namespace']}/{row['name']}")
    lines = []
    for (budget, why), pods in groups.items():
        lines.append(
            f"{node}: PodDisruptionBudget {budget} doesn't let {some(pods, 3)} go as it stands: {why}; "
            f"unless an operator lifts it when the eviction is asked for, change the budget or start more replicas"
        )
    return lines


def last_endpoints(slices: Iterable[dict[str, Any]], node: str, going: set[str]) -> list[dict[str, Any]]:
    """Services with no other ready endpoint than pods that will be evicted. going: namespace/name of these pods."""
    here: dict[str, set[str]] = {}
    elsewhere: set[str] = set()
    for each in slices:
        metadata = each["metadata"]
        name = (metadata.get("labels") or {}).get(SERVICE)
        if not name:
            continue
        service = f"{metadata['namespace']}/{name}"
        for endpoint in each.get("endpoints") or []:
            if not _is_ready(endpoint):
                continue
            pod = _pod_of(endpoint, metadata["namespace"])
            if endpoint.get("nodeName") == node and pod in going:
                here.setdefault(service, set()).add(pod)
            else:
                elsewhere.add(service)
    return [{"service": service, "pods": sorted(here[service])} for service in sorted(here.keys() - elsewhere)]


def _is_ready(endpoint: dict[str, Any]) -> bool:
    """discovery/v1: an absent condition means ready."""
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _pod_of(endpoint: dict[str, Any], namespace: str) -> str:
    """namespace/name of the pod behind an endpoint, empty if it is no pod."""
    target = endpoint.get("targetRef") or {}
    if target.get("kind") != "Pod":
        return ""
    return f"{target.get('namespace') or namespace}/{target.get('name')}"


def of_endpoints(client: Client, node: str, going: list[Pod]) -> dict[str, Any]:
    """The Services that lose their last ready endpoint."""
    slices = (each for page in client.pages(SLICES) for each in page.get("items") or [])
    return {"last_endpoints": last_endpoints(slices, node, {title(pod) for pod in going})}


def looks_vital(pod: Pod) -> bool:
    """Whether the whole cluster may need it: CoreDNS, or an operator by its names and labels."""
    labels = pod["metadata"].get("labels") or {}
    keys = ("name", "app", "app.kubernetes.io/name", "app.kubernetes.io/component", "io.cilium/app", "control-plane")
    names = [(controller(pod) or {}).get("name", ""), *(labels.get(key, "") for key in keys)]
    return labels.get("k8s-app") in ("kube-dns", "coredns") or any("operator" in name for name in names)


def of_replicas(client: Client, going: list[Pod]) -> dict[str, Any]:
    """Vital Deployments that have all their pods here. One list of only names is enough for that."""
    groups = _vital_groups(going)
    if not groups:
        return {"all_replicas_here": []}
    elsewhere = _owners_elsewhere(client, groups)
    rows = []
    for owner, pods in groups.items():
        if owner not in elsewhere:
            rows.append({"what": kind_and_name(pods[0]), "pods": [title(pod) for pod in pods]})
    return {"all_replicas_here": rows}


def _vital_groups(going: list[Pod]) -> dict[str, list[Pod]]:
    """uid of a ReplicaSet -> its pods here, for those that the cluster may need."""
    groups: dict[str, list[Pod]] = {}
    for pod in going:
        owner = controller(pod)
        if owner is not None and HASH in (pod["metadata"].get("labels") or {}) and looks_vital(pod):
            groups.setdefault(owner["uid"], []).append(pod)
    return groups


def _owners_elsewhere(client: Client, groups: dict[str, list[Pod]]) -> set[str]:
    """uids of the ReplicaSets that have pods besides those in the groups."""
    hashes = sorted({pods[0]["metadata"]["labels"][HASH] for pods in groups.values()})
    selector = f"{HASH} in ({','.join(hashes)})"
    found, _version = client.list_all("/api/v1/pods", accept=NAMES_ONLY, labelSelector=selector)
    here = {pod["metadata"]["uid"] for pods in groups.values() for pod in pods}
    owners: set[str] = set()
    for pod in found:
        owner = controller(pod)
        if owner is not None and pod["metadata"]["uid"] not in here and not is_terminating(pod):
            owners.add(owner["uid"])
    return owners


def kind_and_name(pod: Pod) -> str:
    """What the pod's controller is called: "ReplicaSet kube-system/coredns-5d4b"."""
    owner = controller(pod) or {}
    return f"{owner.get('kind')} {pod['metadata']['namespace']}/{owner.get('name')}"


@dataclass
class Outlook:
    """What was read before the first change. version: where a watch on the budgets continues, None: no right."""

    forecast: dict[str, Any]
    budgets: list[Budget] = field(default_factory=list)
    version: str | None = None
    warnings: list[str] = field(default_factory=list)


def look_ahead(client: Client, name: str, going: list[Pod], *, budgets_count: bool) -> Outlook:
    """The forecast for the pods that will be evicted. What can't be read is missing, and a warning says so."""
    outlook = Outlook(of_pods(going))
    if not going:
        return outlook
    reads: list[Callable[[], None]] = [
        lambda: outlook.forecast.update(of_endpoints(client, name, going)),
        lambda: outlook.forecast.update(of_replicas(client, going)),
    ]
    if budgets_count:
        reads.insert(0, lambda: _read_budgets(client, name, going, outlook))
    failures = []
    for read in reads:
        try:
            read()
        except Unauthorized:
            raise
        except HitlessError as exc:
            failures.append(exc.msg)
    if failures:
        outlook.warnings.append(f"{name}: the forecast is incomplete: {'; '.join(failures)}")
    return outlook


def _read_budgets(client: Client, name: str, going: list[Pod], outlook: Outlook) -> None:
    """Adds the budgets to the outlook."""
    try:
        found, outlook.version = client.list_all(BUDGETS)
    except TRANSIENT:
        # It is worth another try after a budget has refused.
        outlook.version = ""
        raise
    namespaces = {pod["metadata"]["namespace"] for pod in going}
    outlook.budgets = [Budget.of(item) for item in found if item["metadata"]["namespace"] in namespaces]
    outlook.forecast |= of_budgets(going, outlook.budgets)
    outlook.warnings += warnings(name, outlook.forecast["never"])

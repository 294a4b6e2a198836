# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether cilium-operator runs, by the Lease that its leader renews every two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..kube.api_errors import Forbidden
from ..kube.client import Client, segment

# leaderElectionResourceLockName in Cilium's operator/cmd.
LEASE = "cilium-operator-resource-lock"
# client-go's defaults, which Cilium's operator also has: a Lease of 15 s, renewed every 2 s.
DURATION = 15.0
# Three renewals, as a fraction of the Lease's duration.
WATCHED = 0.4
INTERVAL = 0.5


@dataclass(frozen=True)
class Verdict:
    """problem: the operator is down, and what shows it. warning: it couldn't be checked, and why."""

    problem: str | None = None
    warning: str | None = None


def _spec(lease: dict[str, Any]) -> dict[str, Any]:
    return lease.get("spec") or {}


def age(lease: dict[str, Any], now: datetime) -> float | None:
    """Seconds since a Lease was renewed, None if it has no holder."""
    spec = _spec(lease)
    if not spec.get("renewTime") or not spec.get("holderIdentity"):
        return None
    return (now - datetime.fromisoformat(spec["renewTime"])).total_seconds()


def duration(lease: dict[str, Any]) -> float:
    """Seconds for which a renewal is valid."""
    return float(_spec(lease).get("leaseDurationSeconds") or DURATION)


def look(
    client: Client,
    namespace: str,
    *,
    patience: float = 0.0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Whether the operator runs. Takes one request. Only if it seems down, takes some seconds (at least patience)."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{segment(namespace)}/leases/{LEASE}"
    try:
        lease = client.find(path)
    except Forbidden as exc:
        return Verdict(warning=f"whether cilium-operator runs wasn't checked: {exc.msg}")
    if lease is None:
        return Verdict(
            warning=f"whether cilium-operator runs wasn't checked: there is no Lease {LEASE} in namespace {namespace} "
            f"(is that Cilium's namespace?)"
        )
    seconds = age(lease, now())
    if seconds is not None and 0 <= seconds <= duration(lease):
        return Verdict()
    # The Lease looks stale, or our clock differs from the cluster's. A renewal is proof without a clock.
    first = _spec(lease).get("renewTime")
    until = clock() + max(patience, duration(lease) * WATCHED)
    while clock() < until:
        sleep(INTERVAL)
        lease = client.find(path) or {}
        if age(lease, now()) is not None and _spec(lease)["renewTime"] != first:
            return Verdict()
    holder = _spec(lease).get("holderIdentity")
    renewed = f"was renewed {first} by {holder} and isn't any more" if holder else "has no holder"
    return Verdict(
        problem=f"cilium-operator, which makes and deletes CiliumBGPNodeConfigs, is down: its Lease {LEASE} in "
        f"namespace {namespace} {renewed}: see kubectl -n {namespace} get pods -l name=cilium-operator"
    )

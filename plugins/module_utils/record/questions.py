# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What the record of a node answers: which way to go, what a failure leads to, what the routers must show.

Pure functions over the record as it is now. Don't call them with a copy that was read before the last change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..frr.link_local import is_link_local
from .form import RANK

Record = dict[str, Any]
ByVrf = dict[str, list[str]]

# The phases before the node is switched off.
BEFORE_OFF = ("claimed", "drained", "withdrawn")
# From the weakest proof of a withdrawal to the strongest.
PROOFS = ("estimate", "cilium", "router")


# --- which way --------------------------------------------------------------------------------------------------


def way(node: dict[str, Any], record: Record | None) -> str:
    """Which half of a maintenance comes next, "out" or "in". For a node left in the middle, its present state decides.

    node: as node_info returns it. A node that has come back with a new boot id after it was off isn't taken out again.
    """
    if not record:
        return "out"
    if RANK[record["phase"]] >= RANK["on"]:
        return "in"
    if record["phase"] == "off" and node.get("boot_id") and node["boot_id"] != boot_id_before(record):
        return "in"
    return "out"


def order(record: Record) -> str:
    """What comes first on the way out, "drain_first" or "withdraw_first", where the user leaves it open.

    Where a Service has traffic policy Local, its VIP stops answering with the node's last pod of it, a moment before
    the routers have followed. So the routes go first. But the routes to pods go with them, and a drain can take long:
    where the node announces these too, or where that isn't known, the pods go first.
    """
    before = record["before"]
    return "withdraw_first" if before.get("local") and before.get("pod_networks") == [] else "drain_first"


def boot_id_before(record: Record) -> str | None:
    """The node's boot id when it was last to go off. If that wasn't noted, its boot id at the claim.

    A node that is put back into service may be taken out again under the same record. Then the boot id of the claim is
    long gone, and any boot since would look like the end of the last one.
    """
    noted = [entry["boot_id"] for entry in record.get("history") or [] if _goes_off(entry) and entry.get("boot_id")]
    found: str | None = noted[-1] if noted else record["before"].get("boot_id")
    return found


def _goes_off(entry: dict[str, Any]) -> bool:
    return bool(entry["phase"] == "off")


def noted_way(record: Record) -> str:
    """The way that was begun last, by the record: out, in, or restart (of the agent)."""
    noted = [entry["way"] for entry in record.get("history") or [] if "way" in entry]
    return str(noted[-1]) if noted else "out"


def after_failure(node: dict[str, Any], record: Record | None, *, ours: bool) -> str:
    """What a failure of a claimed node leads to: "put back", "stopped", "held" or "lost".

    A node is put back only on its way out, and only before the power command. If you announce the routes of a node that
    is off or being worked on, you lose traffic. "off" is noted before the command, so the record alone decides. "held":
    the restart of the node's agent had begun. "lost": the record no longer belongs to this run.
    """
    if not record or not ours:
        return "lost"
    begun = noted_way(record)
    if begun == "restart":
        return "held"
    if begun == "out" and record["phase"] in BEFORE_OFF and not _may_be_off(record) and node.get("ready") is True:
        return "put back"
    return "stopped"


def _may_be_off(record: Record) -> bool:
    """Whether the node was to go off, and hasn't been seen to be back."""
    may_be = False
    for entry in record.get("history") or []:
        may_be = _goes_off(entry) or (may_be and entry["phase"] != "on")
    return may_be


def was_off(record: Record | None) -> bool:
    """Whether the node was switched off or rebooted since the claim, so that it must come back with a new boot id."""
    return any(entry["phase"] == "off" for entry in (record or {}).get("history") or [])


def proven_by(record: Record) -> str:
    """The evidence for the withdrawal of the routes, as noted last; "" if the record doesn't say."""
    noted = [entry["evidence"] for entry in record.get("history") or [] if "evidence" in entry]
    return str(noted[-1]) if noted else ""


def why_not_off(name: str, record: Record, evidence: str) -> str:
    """Why the node must not be switched off, in one line; "" if its routes are proven to be withdrawn.

    evidence: the weakest proof that is accepted. Answers of routers prove more than an agent and an estimate. These
    prove more than an estimate alone.
    """
    found = proven_by(record)
    proven = found in PROOFS and PROOFS.index(found) >= PROOFS.index(evidence)
    if record["phase"] in ("withdrawn", "off") and proven:
        return ""
    return (
        f"{name}: no power command, since its record says phase {record['phase']}, proven by {found or 'nobody'}, and "
        f"evidence={evidence} is asked for: withdraw the routes first (role hitless.nodes.bgp, withdraw), routers may "
        f"still send it traffic"
    )


def min_announcers(record: Record, asked: int) -> int:
    """How many others must announce each VIP: as many as at the claim. With 0 the user says now that nobody counts."""
    return int(record["before"].get("min_announcers", asked)) if asked > 0 else 0


# --- what was before --------------------------------------------------------------------------------------------


def addresses_on(record: Record, router: str) -> list[str]:
    """The node's addresses on one router, as they were at the claim.

    They are those of the Node, those of its sessions there, and all next hops that it sent to any router. Link-local
    ones are only known on their router: elsewhere another host may have the same.
    """
    before = record["before"]
    addresses = [*before["addresses"], *(before.get("local_addresses") or [])]
    addresses += [session["address"] for session in _sessions(record, router)]
    for other, hops in (before.get("next_hops") or {}).items():
        addresses += [hop for hop in hops if other == router or not is_link_local(hop)]
    return list(dict.fromkeys(addresses))


def staying(record: Record) -> list[str]:
    """The prefixes that the node goes on announcing by other means than Cilium's BGP, so nobody waits for them."""
    return list(record["before"].get("staying") or [])


def prefixes_on(record: Record, router: str) -> ByVrf:
    """VRF -> the prefixes that one router had of the node in BGP before the claim, without those that stay."""
    vrfs = _routes(record).get(router) or {}
    found = {vrf: sorted(set(tables.get("bgp") or []) - set(staying(record))) for vrf, tables in sorted(vrfs.items())}
    return {vrf: prefixes for vrf, prefixes in found.items() if prefixes}


def prefixes_anywhere(record: Record, vrfs: Iterable[str]) -> ByVrf:
    """VRF -> all prefixes that any router had of the node before the claim, in any VRF.

    What is gone has to be gone everywhere. In a VRF that never had the prefix, its absence is seen in the same way.
    """
    found: set[str] = set()
    for router in _routes(record):
        for prefixes in prefixes_on(record, router).values():
            found.update(prefixes)
    return {vrf: sorted(found) for vrf in vrfs}


def routers_before(record: Record) -> list[str]:
    """The routers that had a route of the node before the claim."""
    return [router for router in _routes(record) if prefixes_on(record, router)]


def every_prefix(record: Record) -> list[str]:
    """All prefixes that any router had of the node in BGP before the claim."""
    return prefixes_anywhere(record, [""])[""]


# --- what has to be there again ---------------------------------------------------------------------------------


def not_awaited(record: Record) -> set[str]:
    """The VIPs that the way back doesn't wait for, as host routes. They come back when their pods do.

    After a drain the pods of a Service with traffic policy Local are elsewhere, and may stay there.
    """
    history = record.get("history") or []
    drained = any(entry["phase"] == "drained" or entry.get("unschedulable") for entry in history)
    return set(record["before"].get("local") or []) if drained else set()


def prefixes_back(record: Record, router: str) -> ByVrf:
    """VRF -> the prefixes that one router must have of the node again."""
    left_out = not_awaited(record)
    back = {}
    for vrf, prefixes in prefixes_on(record, router).items():
        back[vrf] = [prefix for prefix in prefixes if prefix not in left_out]
    return back


def forwarded_back(record: Record, router: str) -> ByVrf:
    """VRF -> the prefixes that one router's kernel must forward to the node again, by routes of their own."""
    left_out = not_awaited(record) | set(staying(record))
    vrfs = _routes(record).get(router) or {}
    return {vrf: sorted(set(tables.get("fib") or []) - left_out) for vrf, tables in sorted(vrfs.items())}


def sessions_back(record: Record, router: str) -> list[dict[str, str]]:
    """The sessions that one router had with the node before the claim and that were up: {vrf, address}."""
    return [
        {"vrf": session.get("vrf") or "default", "address": session["address"]}
        for session in _sessions(record, router)
        if session["established"]
    ]


def _routes(record: Record) -> dict[str, Any]:
    return record["before"].get("routes") or {}


def _sessions(record: Record, router: str) -> list[dict[str, Any]]:
    return (record["before"].get("sessions") or {}).get(router) or []


# --- routers that nobody asks any more -------------------------------------------------------------------------


def strangers(record: Record, routers: Iterable[str]) -> list[str]:
    """The routers that had routes of the node, or a session with it, at the claim and that aren't among these."""
    had = {*routers_before(record), *(record["before"].get("sessions") or {})}
    known = set(routers)
    return sorted(each for each in had - known if prefixes_on(record, each) or _sessions(record, each))


def changed_strangers(record: Record, routers: Iterable[str]) -> list[str]:
    """The routers whose configuration this maintenance has changed and not put back, and that aren't among these."""
    return sorted(routers_changed(record).keys() - set(routers))


# --- what was changed on routers --------------------------------------------------------------------------------


def routers_changed(record: Record) -> dict[str, list[dict[str, str]]]:
    """Router -> its drained sessions, for the routers that this maintenance has changed and not put back.

    The record's notes say so (routers_changed, routers_flushed, routers_restored). They are written before the change.
    """
    changed: dict[str, list[dict[str, str]]] = {}
    for entry in record.get("history") or []:
        for router, drained in (entry.get("routers_changed") or {}).items():
            known = changed.setdefault(router, [])
            known += [session for session in drained if session not in known]
        for router in entry.get("routers_flushed") or []:
            changed.setdefault(router, [])
        for router in entry.get("routers_restored") or []:
            changed.pop(router, None)
    return changed

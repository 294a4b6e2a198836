# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether sessions are up on both sides, and whether the speaker announces. Pure functions, see links.py."""

from __future__ import annotations

from typing import Any

from .findings import Finding, failed, passed, unknown
from .links import Facts, Link

# GoBGP's deferral-time in seconds. After a graceful restart it announces nothing for so long, unless all its peers have
# sent their routes before.
DEFERRAL = 360


def sessions(linked: list[Link], agents: dict[str, Facts]) -> list[Finding]:
    """Stage 6: whether each session is up on both sides, and whether the speaker announces."""
    return [_session(link, agents.get(link.node["name"]) or {}) for link in linked]


def _session(link: Link, agent: Facts) -> Finding:
    session, live = link.session or {}, link.live or {}
    words = []
    if session.get("state"):
        words.append(f"Cilium says {session['state']}")
    if live:
        words.append(f"router {link.router} says {live['state']}")
    said = ", ".join(words)
    if link.established is None:
        reason = agent.get("reason") or "neither Cilium nor the router says anything about it"
        return unknown(6, link.title, f"its state isn't known: {reason}", "see stage 5, and check the logs")
    if not link.established:
        return failed(
            6,
            link.title,
            f"the session isn't up ({said})",
            "see stage 5, and check the network between them (firewalls, ebgpMultihop over several hops) and the logs",
        )
    silent = silence(link, agent)
    if silent:
        return failed(
            6,
            link.title,
            silent,
            "wait at most 6 minutes, or repair or remove the peers of the node that aren't up",
        )
    return passed(6, link.title, said)


def silence(link: Link, agent: Facts) -> str | None:
    """Why a speaker is up but silent after a graceful restart. None: it isn't silent."""
    if not _restarts_gracefully(link) or not _is_silent(link):
        return None
    if not (agent.get("routes") or {}).get("available"):
        # It has nothing to announce.
        return None
    uptime = (link.session or {}).get("uptime")
    if uptime is not None and uptime > DEFERRAL:
        return None
    since = "" if uptime is None else f" for {uptime} s"
    return (
        f"the session is up{since}, but nothing has been announced over it: after a graceful restart the speaker "
        f"waits until all its peers have sent their routes, or for {DEFERRAL} s"
    )


def _restarts_gracefully(link: Link) -> bool:
    """Whether graceful restart is on for a session, by the agent. If it doesn't say, by the configuration."""
    enabled = ((link.session or {}).get("graceful_restart") or {}).get("enabled")
    return bool((link.peer_config or {}).get("graceful_restart") if enabled is None else enabled)


def _is_silent(link: Link) -> bool:
    """Whether both sides say that nothing was announced over a session. Unknown is never silent."""
    # An End-of-RIB counts as advertised, so a speaker without routes has at least this one.
    advertised: list[Any] = [count["advertised"] for count in (link.session or {}).get("routes") or []]
    accepted = (link.live or {}).get("accepted") or {}
    return bool(advertised) and all(count == 0 for count in advertised) and not any(accepted.values())

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GoBGP in the place of Cilium's BGP control plane, which embeds the same library."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from lab import settings as s
from lab import wiring
from lab.machines import Machine
from lab.settings import LabError, LabSettings

_SERVICE = "hitless-speaker"
_API = "127.0.0.1:50051"
_GOBGP = "gobgp --host 127.0.0.1"
_TOML, _SCRIPT, _APPLIED = "/etc/hitless/speaker.toml", "/etc/hitless/speaker.sh", "/run/hitless/speaker.json"
_FAMILIES = {4: "ipv4-unicast", 6: "ipv6-unicast"}
# GoBGP's SessionState of `gobgp neighbor -j`, in the words of Cilium's peeringState.
_STATES = ("unknown", "idle", "connect", "active", "open_sent", "open_confirm", "established")


@dataclass(frozen=True)
class Peer:
    """A router as the node sees it; times in seconds, gr_restart_time None = no graceful restart.

    address: a link-local one has %interface. gr_notification: the N bit (RFC 8538), which Cilium always sets. families:
    whose routes it carries, () = those of its address. local_address: the node's own one, None = that of its Node.
    hops: how far away the router may be.
    """

    address: str
    asn: int
    password: str | None = None
    hold_time: int = 90
    keepalive: int = 30
    connect_retry: int = 120
    gr_restart_time: int | None = None
    gr_notification: bool = True
    families: tuple[int, ...] = ()
    local_address: str | None = None
    hops: int = 1

    @property
    def carried(self) -> tuple[int, ...]:
        """The families whose routes it carries."""
        return self.families or (s.family(self.address),)


@dataclass(frozen=True)
class SpeakerConfig:
    """What a node announces, and to whom."""

    asn: int
    router_id: str
    peers: tuple[Peer, ...]
    prefixes4: tuple[str, ...] = ()
    prefixes6: tuple[str, ...] = ()
    # Cilium's localPort. Listening lets the routers connect, within a second or two; without it (-1) GoBGP alone
    # connects, after 5 to 10 s at least (connect-retry T with jitter: T to 2T, T >= 5).
    local_port: int = 179

    @property
    def prefixes(self) -> set[str]:
        """Prefixes of both families."""
        return {*self.prefixes4, *self.prefixes6}


def default_config(settings: LabSettings, role: str) -> SpeakerConfig:
    """What a node of the lab announces when it is in service."""
    prefixes4, prefixes6 = s.prefixes(s.NODES.index(role) + 1)
    peers = tuple(_peer(settings, role, session) for session in wiring.sessions(settings, role))
    return SpeakerConfig(s.NODE_ASN, wiring.router_id(settings, role), peers, prefixes4, prefixes6)


def _peer(settings: LabSettings, role: str, session: wiring.Session) -> Peer:
    found = f"{wiring.link_local(session.router, role, node_side=False)}%{session.interface}"
    return Peer(
        address=session.peer or found,
        asn=session.asn,
        password=None if session.interface else s.PASSWORD,
        hold_time=settings.hold_time,
        keepalive=settings.keepalive,
        connect_retry=settings.connect_retry,
        gr_restart_time=settings.graceful_restart,
        families=session.families,
        local_address=session.local or None,
        hops=session.hops,
    )


def apply(machine: Machine, config: SpeakerConfig) -> None:
    """Starts the speaker, or changes a running one so that it has these peers and prefixes."""
    before = applied(machine)
    if before is not None and (before.asn, before.router_id) != (config.asn, config.router_id):
        stop(machine)
        before = None
    if before == config:
        return
    # What stop() has ended left no such file. Of one that was killed, routers may have kept the routes.
    killed = before is None and machine.read(_APPLIED) is not None
    machine.write(_TOML, _toml(machine, config, admin_down=killed))
    if before is None:
        restarting = any(peer.gr_restart_time is not None for peer in config.peers)
        machine.write(_SCRIPT, _script(restarting=restarting))
        machine.service("start", _SERVICE)
    _change_routes(machine, add=config.prefixes - (before.prefixes if before else set()))
    if killed:
        # Peers after the routes: an End-of-RIB without them makes a helper flush what it has kept for us.
        _enable(machine, config.peers)
    if before is not None:
        _change_routes(machine, delete=before.prefixes - config.prefixes)
        if before.peers != config.peers:
            _signal(machine, "HUP")
    machine.write(_APPLIED, json.dumps(asdict(config)))


def stop(machine: Machine, keep_peers: Collection[str] = ()) -> None:
    """Closes the sessions with Cease, as Cilium does for a node that is not selected any more, and ends the speaker.

    keep_peers: addresses whose session stays up (a fault: one router is not told).
    """
    config = applied(machine)
    if config is None:
        return
    kept = tuple(peer for peer in config.peers if peer.address in keep_peers)
    if kept:
        apply(machine, replace(config, peers=kept))
        return
    # StopBgp, as Cilium calls it: returns when each peer's goroutine has ended and its NOTIFICATION is out.
    done = _gobgp(machine, "global", "del", "all")
    machine.service("kill", _SERVICE)
    machine.run(["rm", "-f", _APPLIED])
    if done:
        raise LabError(f"{machine.name}: gobgp global del all: {done}")


def disable(machine: Machine) -> None:
    """Shuts all sessions down administratively (Cease 6/2); the speaker goes on running. Cilium never does this."""
    config = applied(machine)
    commands = [f"{_GOBGP} neighbor {peer.address} disable" for peer in (config.peers if config else ())]
    done = machine.run(["sh", "-e", "-c", "\n".join(commands)], timeout=30)
    if done.returncode:
        raise LabError(f"{machine.name}: gobgp neighbor disable: {(done.stderr or done.stdout).strip()[:300]}")


def kill(machine: Machine) -> None:
    """The agent dies: TCP is closed by the kernel, no NOTIFICATION is sent."""
    machine.service("kill", _SERVICE)


def running(machine: Machine) -> bool:
    """Whether the machine is on and its speaker answers."""
    try:
        return machine.run(["pgrep", "-x", "gobgpd"]).returncode == 0
    except LabError:  # it is off, or went off a moment ago
        return False


def applied(machine: Machine) -> SpeakerConfig | None:
    """The configuration of the speaker that runs; None when none runs."""
    text = machine.read(_APPLIED)
    if text is None or not running(machine):
        return None
    data = json.loads(text)
    data["peers"] = [Peer(**{**peer, "families": tuple(peer["families"])}) for peer in data["peers"]]
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return SpeakerConfig(**fields)


def neighbors(machine: Machine) -> list[dict[str, Any]]:
    """Sessions as the speaker sees them; [] when no speaker runs.

    address, asn, state (in the words of Cilium's peeringState), uptime (seconds; None = not established), hold_time,
    keepalive (negotiated, seconds), families [{afi, safi, advertised, received, accepted}], graceful_restart {enabled,
    restart_time, notification}. The counts are GoBGP's own, as Cilium reports them: an End-of-RIB counts as advertised.
    """
    config = applied(machine)
    if config is None:
        return []
    # Asked for one neighbor, GoBGP also counts what it advertises to it.
    ask = "\n".join(f"{_GOBGP} neighbor {peer.address} -j; echo" for peer in config.peers)
    try:
        done = machine.run(["sh", "-c", ask], timeout=30)
    except LabError:  # switched off since
        return []
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [_neighbor(answer, now=time.time()) for answer in answers]


def _neighbor(answer: dict[str, Any], *, now: float) -> dict[str, Any]:
    # GoBGP leaves out zero values.
    state = answer.get("state", {})
    timers = answer.get("timers", {}).get("state", {})
    restart = answer.get("graceful_restart", {})
    established = state.get("session_state", 0) == _STATES.index("established")
    since = timers.get("uptime", {}).get("seconds")
    families = [entry.get("state", {}) for entry in answer.get("afi_safis", [])]
    return {
        "address": answer["conf"]["neighbor_address"],
        "asn": answer["conf"]["peer_asn"],
        "state": _STATES[state.get("session_state", 0)],
        "uptime": max(0, int(now - since)) if established and since else None,
        "hold_time": int(timers.get("negotiated_hold_time", 0)),
        "keepalive": int(timers.get("keepalive_interval", 0)),
        "families": [
            {
                "afi": "ipv6" if family.get("family", {}).get("afi") == 2 else "ipv4",
                "safi": "unicast",
                **{key: int(family.get(key, 0)) for key in ("advertised", "received", "accepted")},
            }
            for family in families
        ],
        "graceful_restart": {
            "enabled": bool(restart.get("enabled")),
            "restart_time": int(restart.get("restart_time", 0)),
            "notification": bool(restart.get("notification_enabled")),
        },
    }


def _change_routes(machine: Machine, *, add: Collection[str] = (), delete: Collection[str] = ()) -> None:
    """Adds and deletes prefixes with the node as next hop (GoBGP puts the session's own address there)."""
    lines = [
        f"{_GOBGP} global rib {verb} -a {'ipv6' if s.family(prefix) == 6 else 'ipv4'} {prefix}"
        for verb, prefixes in (("add", add), ("del", delete))
        for prefix in sorted(prefixes)
    ]
    if lines:
        # The API is there a moment after the process is.
        wait = f"n=0; until {_GOBGP} global >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 100 ]; sleep 0.05; done"
        done = machine.run(["sh", "-e", "-c", "\n".join([wait, *lines])], timeout=30)
        if done.returncode:
            raise LabError(f"{machine.name}: gobgp: {(done.stderr or done.stdout).strip()[:300]}")


def _script(*, restarting: bool) -> str:
    """Shell script that becomes the speaker.

    restarting: with graceful restart Cilium always sets the R bit and the F bit (LocalRestarting), which is what lets
    the routers keep the routes over an agent restart.
    """
    option = " --graceful-restart" if restarting else ""
    return f"exec gobgpd --config-file={_TOML} --log-plain --pprof-disable --api-hosts={_API}{option}\n"


def _enable(machine: Machine, peers: Collection[Peer]) -> None:
    """Lets sessions come up that were configured to stay down."""
    commands = [f"{_GOBGP} neighbor {peer.address} enable" for peer in peers]
    done = machine.run(["sh", "-e", "-c", "\n".join(commands)], timeout=30)
    if done.returncode:
        raise LabError(f"{machine.name}: gobgp neighbor enable: {(done.stderr or done.stdout).strip()[:300]}")


def _toml(machine: Machine, config: SpeakerConfig, *, admin_down: bool = False) -> str:
    lines = ["[global.config]", f"as = {config.asn}", f'router-id = "{config.router_id}"']
    lines.append(f"port = {config.local_port}")
    for peer in config.peers:
        lines += _neighbor_toml(machine, peer, admin_down=admin_down)
    return "\n".join([*lines, ""])


def _neighbor_toml(machine: Machine, peer: Peer, *, admin_down: bool) -> list[str]:
    lines = ["[[neighbors]]", "[neighbors.config]"]
    lines += [f'neighbor-address = "{peer.address}"', f"peer-as = {peer.asn}"]
    lines += [f"admin-down = {str(admin_down).lower()}"]
    if peer.password is not None:
        lines.append(f'auth-password = "{peer.password}"')
    lines += ["[neighbors.timers.config]", f"hold-time = {peer.hold_time}", f"keepalive-interval = {peer.keepalive}"]
    lines += [f"connect-retry = {peer.connect_retry}", "idle-hold-time-after-reset = 1"]
    # GoBGP itself finds its own link-local address.
    if "%" not in peer.address:
        own = peer.local_address or (machine.address6 if s.family(peer.address) == 6 else machine.address4)
        lines += ["[neighbors.transport.config]", f'local-address = "{own}"']
    if peer.hops > 1:
        lines += ["[neighbors.ebgp-multihop.config]", "enabled = true", f"multihop-ttl = {peer.hops}"]
    restart = peer.gr_restart_time
    if restart is not None:
        lines += ["[neighbors.graceful-restart.config]", "enabled = true", f"restart-time = {restart}"]
        lines += [f"notification-enabled = {str(peer.gr_notification).lower()}"]
    for family in peer.carried:
        lines += ["[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]", f'afi-safi-name = "{_FAMILIES[family]}"']
        if restart is not None:
            lines += ["[neighbors.afi-safis.mp-graceful-restart.config]", "enabled = true"]
    return lines


def _signal(machine: Machine, name: str) -> None:
    machine.run(["pkill", f"-{name}", "-x", "gobgpd"])


def _gobgp(machine: Machine, *arguments: str) -> str:
    """'' or what gobgp complained about."""
    done = machine.run([*_GOBGP.split(), *arguments], timeout=30)
    return (done.stderr or done.stdout).strip() if done.returncode else ""

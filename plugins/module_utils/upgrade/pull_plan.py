# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The nodes of a pull: which ones get the images, how far each of them is, and which ones come next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..kube import node_objects
from ..kube.client import Client
from .image_ref import Reference
from .image_verdicts import COMING, Verdict, present
from .pull_daemonset import PullFailed

# A Node's list follows its disk late: after a pull it is read again this often (seconds).
LOOK_EVERY = 5.0
# So few nodes are read one by one; otherwise one list of all costs less.
READ_SINGLY = 5
WAITING, ASKED, THERE, FAILED = "waiting", "pulling", "there", "failed"


@dataclass
class Target:
    """A node that gets the images, and how far it is. Times are seconds since the pull began.

    before: whether its Node's list has named the images at the beginning, None where it can't tell. failing: since
    when its pod fails. listed: the Node's list as it was read last, at the time looked.
    """

    name: str
    platform: str
    before: bool | None
    state: str = WAITING
    words: str = ""
    asked: float = 0.0
    failing: float | None = None
    tries: int = 1
    seconds: float | None = None
    digests: list[str | None] = field(default_factory=list)
    how: list[str | None] = field(default_factory=list)
    looked: float = -LOOK_EVERY
    listed: list[dict[str, Any]] = field(default_factory=list)

    def handover(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return {key: value for key, value in asdict(self).items() if key not in ("looked", "listed")}

    def ask(self, now: float) -> None:
        """The DaemonSet names the node from now on."""
        if self.state == WAITING:
            self.state, self.asked = ASKED, now

    def fail(self, words: str) -> None:
        """The node is at its end without the images."""
        self.state, self.words = FAILED, words

    def fail_late(self, seconds: float) -> None:
        """The node is at its end, because its time is over."""
        self.fail(f"not there after {seconds:g} s: {self.words or 'still pulling'}")

    def judge(self, verdicts: Sequence[Verdict], now: float, node_timeout: float) -> None:
        """Brings the node forward by what its pod says of each image."""
        if all(verdict.state == "there" for verdict in verdicts):
            self._arrived(verdicts, now)
            return
        failing = [verdict for verdict in verdicts if verdict.state == "failing"]
        self.words = _words(failing or verdicts)
        if not failing:
            self.failing = None
        elif self.failing is None:
            self.failing = now
        if any(verdict.final for verdict in failing):
            self.fail(self.words)
        elif now - self.asked > node_timeout:
            self.fail_late(node_timeout)

    def _arrived(self, verdicts: Sequence[Verdict], now: float) -> None:
        self.state, self.words = THERE, ""
        self.seconds = round(now - self.asked, 1)
        self.digests = [verdict.digest for verdict in verdicts]
        self.how = [verdict.how for verdict in verdicts]


def _words(verdicts: Iterable[Verdict]) -> str:
    """What keeps images from being there, each reason once; "" where they are simply not yet pulled."""
    reasons = []
    for verdict in verdicts:
        if verdict.state != "there" and verdict is not COMING and verdict.words not in reasons:
            reasons.append(verdict.words)
    return "; ".join(reasons)


def platform(node: dict[str, Any]) -> str:
    """A node's operating system and architecture, as image references have them."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    return f"{info.get('operatingSystem', 'unknown')}/{info.get('architecture', 'unknown')}"


def find_targets(client: Client, params: dict[str, Any], references: Sequence[Reference]) -> list[Target]:
    """The nodes that are to get the images; raises UnknownNode for a name that no Node has, PullFailed for none."""
    nodes = _named_nodes(client, params["nodes"]) if params["nodes"] is not None else _selected_nodes(client, params)
    if not nodes:
        by_label = params["node_selector"] if params["nodes"] is None else ""
        selector = by_label or "an empty list of nodes"
        raise PullFailed(f"no node is selected by {selector}: there is nothing to pull on")
    return [_target(node, references) for node in nodes]


def _named_nodes(client: Client, names: Sequence[str]) -> list[dict[str, Any]]:
    known = {}
    if len(names) > READ_SINGLY:
        known = {node["metadata"]["name"]: node for node in client.list_all("/api/v1/nodes")[0]}
    # A name that isn't in the list is read, too: that says in its words that there is no such Node.
    return [known.get(name) or node_objects.read(client, name) for name in dict.fromkeys(names)]


def _selected_nodes(client: Client, params: dict[str, Any]) -> list[dict[str, Any]]:
    query = {"labelSelector": params["node_selector"]} if params["node_selector"] else {}
    found: list[dict[str, Any]] = client.list_all("/api/v1/nodes", **query)[0]
    return sorted(found, key=lambda node: str(node["metadata"]["name"]))


def _target(node: dict[str, Any], references: Sequence[Reference]) -> Target:
    images = node.get("status", {}).get("images") or []
    target = Target(node["metadata"]["name"], platform(node), present(references, images))
    if not target.platform.startswith("linux/"):
        target.fail(f"Cilium runs on Linux, and this is {target.platform}")
    elif node_objects.is_ready(node) is not True:
        target.fail("it isn't Ready, so its kubelet pulls nothing")
    return target


def left(targets: Iterable[Target]) -> list[Target]:
    """The nodes that are not at their end yet."""
    return [target for target in targets if target.state in (WAITING, ASKED)]


def next_nodes(targets: Iterable[Target], written: Sequence[str], parallel: int) -> list[str]:
    """The nodes to name now: those named already, those that have the images anyway, and so many that have not."""
    targets = list(targets)
    waiting = [target for target in targets if target.state == WAITING and target.name not in written]
    pulling = [target for target in targets if target.state == ASKED and not target.before]
    room = max(0, parallel - len(pulling))
    ready = [target.name for target in waiting if target.before]
    others = [target.name for target in waiting if not target.before]
    return [*written, *ready, *others[:room]]


def progress(targets: Iterable[Target]) -> str:
    """How far the pull is, in words."""
    targets = list(targets)
    states = [target.state for target in targets]
    words = f"{states.count(THERE)} of {len(targets)} nodes have the images, {states.count(ASKED)} are pulling"
    if FAILED in states:
        words += f", {states.count(FAILED)} have failed"
    trouble = [f"; {target.name}: {target.words}" for target in left(targets) if target.words]
    return words + "".join(trouble[:2])

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The nodes of a pull: which of them get the images, how far each one is, and which come next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..kube import node_objects
from ..kube.client import Client
from .image_ref import Reference
from .image_verdicts import COMING, Verdict, present
from .pull_daemonset import PullFailed

# Seconds between two reads of a Node's list. It follows the disk late, so after a pull it is read again.
LOOK_EVERY = 5.0
# At most this many nodes are read one by one. For more, one list of all nodes costs less.
READ_SINGLY = 5
WAITING, ASKED, THERE, FAILED = "waiting", "pulling", "there", "failed"


@dataclass
class Target:
    """A node that gets the images, and how far it is. Times are seconds since the pull began.

    before: whether its Node's list had the images at the beginning, None if unknown. failing: since when its pod fails.
    listed: the Node's list as it was read last. looked: when that was.
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
        """What the next slice must know."""
        return {key: value for key, value in asdict(self).items() if key not in ("looked", "listed")}

    def ask(self, now: float) -> None:
        """Notes that the DaemonSet names the node from now on."""
        if self.state == WAITING:
            self.state, self.asked = ASKED, now

    def fail(self, words: str) -> None:
        """Notes that the node is done, without the images."""
        self.state, self.words = FAILED, words

    def fail_late(self, seconds: float) -> None:
        """Notes that the node is done, because its time is over."""
        self.fail(f"not there after {seconds:g} s: {self.words or 'still pulling'}")

    def judge(self, verdicts: Sequence[Verdict], now: float, node_timeout: float) -> None:
        """Notes how far the node is, by what its pod says of each image."""
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
    """Why images aren't there, each reason once; "" if they are only not yet pulled."""
    reasons = []
    for verdict in verdicts:
        if verdict.state != "there" and verdict is not COMING and verdict.words not in reasons:
            reasons.append(verdict.words)
    return "; ".join(reasons)


def platform(node: dict[str, Any]) -> str:
    """A node's operating system and architecture, such as linux/amd64."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    return f"{info.get('operatingSystem', 'unknown')}/{info.get('architecture', 'unknown')}"


def find_targets(client: Client, params: dict[str, Any], references: Sequence[Reference]) -> list[Target]:
    """The nodes that are to get the images; raises UnknownNode for a wrong name, PullFailed if there are none."""
    nodes = _named_nodes(client, params["nodes"]) if params["nodes"] is not None else _selected_nodes(client, params)
    if not nodes:
        by_label = params["node_selector"] if params["nodes"] is None else ""
        selector = by_label or "an empty list of nodes"
        raise PullFailed(f"no node is selected by {selector}: give nodes to pull on")
    return [_target(node, references) for node in nodes]


def _named_nodes(client: Client, names: Sequence[str]) -> list[dict[str, Any]]:
    known = {}
    if len(names) > READ_SINGLY:
        known = {node["metadata"]["name"]: node for node in client.list_all("/api/v1/nodes")[0]}
    # A name that the list lacks is read, too. That read raises UnknownNode.
    return [known.get(name) or node_objects.read(client, name) for name in dict.fromkeys(names)]


def _selected_nodes(client: Client, params: dict[str, Any]) -> list[dict[str, Any]]:
    query = {"labelSelector": params["node_selector"]} if params["node_selector"] else {}
    found: list[dict[str, Any]] = client.list_all("/api/v1/nodes", **query)[0]
    return sorted(found, key=lambda node: str(node["metadata"]["name"]))


def _target(node: dict[str, Any], references: Sequence[Reference]) -> Target:
    images = node.get("status", {}).get("images") or []
    target = Target(node["metadata"]["name"], platform(node), present(references, images))
    if not target.platform.startswith("linux/"):
        target.fail(f"Cilium runs on Linux, and this node is {target.platform}")
    elif node_objects.is_ready(node) is not True:
        target.fail("it isn't Ready, so its kubelet pulls nothing")
    return target


def left(targets: Iterable[Target]) -> list[Target]:
    """The nodes that are not done yet."""
    return [target for target in targets if target.state in (WAITING, ASKED)]


def next_nodes(targets: Iterable[Target], written: Sequence[str], parallel: int) -> list[str]:
    """The nodes to name now.

    These are the nodes named already, those that have the images, and as many others as may pull at a time.
    """
    room = parallel
    ready: list[str] = []
    others: list[str] = []
    for target in targets:
        if target.state == ASKED and not target.before:
            room -= 1
        if target.state == WAITING and target.name not in written:
            (ready if target.before else others).append(target.name)
    return [*written, *ready, *others[: max(0, room)]]


def progress(targets: Iterable[Target]) -> str:
    """How far the pull is, in words."""
    targets = list(targets)
    states = [target.state for target in targets]
    words = f"{states.count(THERE)} of {len(targets)} nodes have the images, {states.count(ASKED)} are pulling"
    if FAILED in states:
        words += f", {states.count(FAILED)} have failed"
    trouble = [f"; {target.name}: {target.words}" for target in left(targets) if target.words]
    return words + "".join(trouble[:2])

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of a node, and the registry that they come from, as a kubelet sees both."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
# How many images a kubelet names in its Node's status (--node-status-max-images).
LISTED = 50
BACK_OFF, LONGEST_BACK_OFF = 1.0, 8.0  # real ones: 10 s, doubled up to 5 min


@dataclass(frozen=True)
class Registry:
    """How the registry behaves towards one node: seconds that a pull takes, and why it fails (None: it doesn't)."""

    seconds: float = 0.0
    failure: str | None = None


@dataclass(frozen=True)
class Waiting:
    """Why a container has not started for want of its image, and when to look again (monotonic time)."""

    reason: str
    message: str
    due: float

    @property
    def state(self) -> Object:
        """As in a container's status."""
        return {"waiting": {"reason": self.reason, "message": self.message}}


def digest_of(name: str) -> str:
    """The digest of what is in the registry under a repository:tag."""
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def image_id(reference: str) -> str:
    """repository@digest of a reference with tag, digest or both; a tag with another digest is no image."""
    name, _at, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    return f"{repository}@{digest or digest_of(repository + ':' + (tag or 'latest'))}"


def exists(reference: str) -> bool:
    """Whether the registry has it: a digest must be that of the tag beside it."""
    name, at, _digest = reference.partition("@")
    return not at or ":" not in name.rpartition("/")[2] or image_id(name) == image_id(reference)


@dataclass
class _Pull:
    due: float
    tries: int = 0
    failed: str = ""
    retry: float = 0.0


@dataclass
class ImageStore:
    """What is on one node's disk: image id -> the names it was pulled by."""

    have: dict[str, set[str]] = field(default_factory=dict)
    changed: bool = False
    # By pod and reference: a kubelet's back-off is each pod's own, so a new pod tries at once.
    pulls: dict[tuple[str, str], _Pull] = field(default_factory=dict)

    def want(self, uid: str, reference: str, now: float, registry: Registry, *, always: bool = False) -> Waiting | None:
        """None once the image is there for this pod; pulls it where it is not. always: asks the registry anyway."""
        there = image_id(reference) in self.have
        pull = self.pulls.get((uid, reference))
        if there and (not always or not (pull or registry.failure)):
            return None
        if pull is None:
            pull = self.pulls[uid, reference] = _Pull(now if there or registry.failure else now + registry.seconds)
        if pull.failed and now < pull.retry:
            return Waiting("ImagePullBackOff", f'Back-off pulling image "{reference}": {pull.failed}', pull.retry)
        if pull.failed:
            pull.failed, pull.due = "", now if there or registry.failure else now + registry.seconds
        if now < pull.due:
            return Waiting("ContainerCreating", "", pull.due)
        failure = registry.failure or (None if exists(reference) else "not found")
        if failure:
            pull.failed = f'failed to pull and unpack image "{reference}": {failure}'
            pull.retry = now + min(BACK_OFF * 2**pull.tries, LONGEST_BACK_OFF)
            pull.tries += 1
            # The back-off shows a moment later.
            return Waiting("ErrImagePull", pull.failed, now + BACK_OFF / 4)
        del self.pulls[uid, reference]
        self.add(reference)
        return None

    def add(self, reference: str) -> None:
        """Has it pulled."""
        names = self.have.setdefault(image_id(reference), set())
        # As containerd keeps them: what is pulled by digest has no tag.
        names |= {image_id(reference)} | ({reference} if "@" not in reference else set())
        self.changed = True

    def remove(self, part: str) -> None:
        """Removes the images of which a name contains this text."""
        for one in [one for one, names in self.have.items() if any(part in name for name in {one, *names})]:
            del self.have[one]
            self.changed = True

    def forget(self, uids: set[str]) -> None:
        """Ends the pulls of pods other than these."""
        self.pulls = {key: pull for key, pull in self.pulls.items() if key[0] in uids}

    def listed(self, *, crowded: bool) -> list[Object]:
        """What the Node's status says. crowded: so many larger images are there that none of ours is named."""
        if crowded:
            others = (f"registry.invalid/other/{number}:1" for number in range(LISTED))
            return [{"names": [image_id(one), one], "sizeBytes": 2_000_000_000} for one in others]
        return [{"names": sorted(names), "sizeBytes": 500_000_000} for _id, names in sorted(self.have.items())][:LISTED]

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether an image is on a node, by the containers of a pod that was made for this, and by the Node's list.

Pure functions over objects of the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..base.errors import HitlessError
from ..base.words import some
from .image_ref import Reference, digest_of, parse

# The kubelet lists only the largest images of a node, this many by default (nodeStatusMaxImages). An image that a full
# list lacks may be there all the same.
LISTED = 50
# Why a container waits if its image can't be had (pkg/kubelet/images/types.go and pkg/kubelet/kuberuntime).
NO_IMAGE = (
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "InvalidImageName",
)
# For these another try doesn't help.
FINAL = ("InvalidImageName", "ErrImageNeverPull")
# The kubelet gets the image first. Then it configures, creates and starts the container. So these come after the image.
AFTER_IMAGE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff")


@dataclass(frozen=True)
class Verdict:
    """What a pod says of one image.

    state: there, coming or failing. how: what proved the digest. words: why the image isn't there. final: no other try
    helps.
    """

    state: str
    digest: str | None = None
    how: str | None = None
    words: str = ""
    final: bool = False


COMING = Verdict("coming", words="not yet pulled")


def _means(reference: Reference, name: str) -> bool:
    """Whether a name in a Node's list means this image."""
    try:
        named = parse(name)
    except HitlessError:  # kubelets write <none>@<none> for images without a name
        return False
    if named.repository != reference.repository:
        return False
    if reference.digest:
        return named.digest == reference.digest
    return named.tag == reference.tag and not named.digest


def listed(reference: Reference, images: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The entry of a Node's list (status.images) for this image, None if it has none."""
    for entry in images:
        for name in entry.get("names") or []:
            if _means(reference, name):
                return entry
    return None


def present(references: Sequence[Reference], images: Sequence[dict[str, Any]]) -> bool | None:
    """Whether a Node's list has all of these images. None: unknown, since the list may be cut off."""
    if all(listed(reference, images) for reference in references):
        return True
    return None if len(images) >= LISTED else False


def _proven(reference: Reference, image_id: str, images: Sequence[dict[str, Any]]) -> Verdict:
    """What a container's imageID proves of its image."""
    found = digest_of(image_id)
    if found is None:
        return Verdict("coming", words=f"{reference.text} runs as {image_id}, which has no digest")
    if not reference.digest:
        # Some runtimes give the digest of the image's configuration here. The registry has another one. Nodes can be
        # compared by it all the same.
        return Verdict("there", found, "pod")
    if found == reference.digest:
        return Verdict("there", found, "pod")
    # The reference may have the digest of the index of all platforms, while the runtime names the image of its own
    # platform. Then the Node's list has both names for one image.
    entry = listed(reference, images)
    if entry and any(digest_of(name) == found for name in entry["names"]):
        return Verdict("there", reference.digest, "node")
    return Verdict(
        "coming", words=f"{reference.text} runs as {found}, and the Node's list doesn't say that both are the same"
    )


def container_verdict(reference: Reference, status: dict[str, Any], images: Sequence[dict[str, Any]] = ()) -> Verdict:
    """What the status of one container says of its image. images: the Node's list."""
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason in NO_IMAGE:
        words = f"{reference.text}: {reason}: {' '.join(str(waiting.get('message', '')).split())}".rstrip(": ")
        return Verdict("failing", words=words, final=reason in FINAL)
    if status.get("imageID"):
        return _proven(reference, status["imageID"], images)
    if reason in AFTER_IMAGE:
        return _never_made(reference, images)
    return COMING


def _never_made(reference: Reference, images: Sequence[dict[str, Any]]) -> Verdict:
    """The verdict on an image that is there, but that no container could be made of: it lacks the command.

    Only the reference, or the Node's list, tells which image it is.
    """
    if reference.digest:
        return Verdict("there", reference.digest, "reference")
    entry = listed(reference, images) or {}
    for name in entry.get("names") or []:
        digest = digest_of(name)
        if digest:
            return Verdict("there", digest, "node")
    return Verdict(
        "coming", words=f"{reference.text} is there, but its digest isn't known: name the image with its digest"
    )


def pod_verdicts(
    references: Sequence[Reference], pod: dict[str, Any], images: Sequence[dict[str, Any]] = ()
) -> list[Verdict]:
    """What a pod of pod_spec says of each image, in the order of the references."""
    for_all = _refused(pod) or _unscheduled(pod)
    if for_all:
        return [for_all] * len(references)
    statuses = {entry["name"]: entry for entry in (pod.get("status") or {}).get("containerStatuses") or []}
    found = []
    for number, reference in enumerate(references):
        found.append(container_verdict(reference, statuses.get(container_name(number), {}), images))
    return found


def _refused(pod: dict[str, Any]) -> Verdict | None:
    """The verdict on a pod that its kubelet refused; None if it didn't."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed" or status.get("containerStatuses"):
        return None
    words = ": ".join(part for part in (status.get("reason"), status.get("message")) if part)
    return Verdict("failing", words=f"the kubelet refused the pod: {words}")


def _unscheduled(pod: dict[str, Any]) -> Verdict | None:
    """The verdict on a pod that couldn't be scheduled; None if it was, or if the scheduler hasn't tried yet."""
    if pod["spec"].get("nodeName"):
        return None
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Verdict("coming", words=f"not scheduled: {condition.get('message', '')}")
    return None


def container_name(number: int) -> str:
    """The name of the container for the image with that number."""
    return f"image-{number}"


def pod_spec(references: Sequence[Reference], *, pull_secrets: Sequence[str], command: Sequence[str]) -> dict[str, Any]:
    """A pod that makes its node pull these images and then does nothing.

    It has one container for each image. Init containers would run one after the other, and one image without the
    command (many have no shell) would stop the pull of the next ones. A container that can't start has still got its
    image, and its status says which one. Image volumes would need no command, but before Kubernetes 1.35 the
    pod's status has no digest of them.
    """
    nothing = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        # It needs no address, so that it also runs where Cilium doesn't.
        "hostNetwork": True,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "imagePullSecrets": [{"name": name} for name in pull_secrets],
        "containers": [
            {
                "name": container_name(number),
                "image": reference.text,
                "imagePullPolicy": "IfNotPresent",
                "command": list(command),
                "securityContext": nothing,
            }
            for number, reference in enumerate(references)
        ],
    }


def different(digests: Iterable[tuple[str, str, str, str | None]]) -> list[str]:
    """Which images aren't the same on all nodes of one platform, in words.

    digests: (node, platform, reference, digest). A tag that has moved means two images.
    """
    found: dict[tuple[str, str], dict[str | None, list[str]]] = {}
    for node, platform, text, digest in digests:
        found.setdefault((text, platform), {}).setdefault(digest, []).append(node)
    problems = []
    for (text, _platform), by_digest in found.items():
        if len(by_digest) > 1:
            which = [f"{digest} on {some(nodes, 3)}" for digest, nodes in sorted(by_digest.items(), key=str)]
            problems.append(f"{text} is not the same everywhere: {', '.join(which)}")
    return problems

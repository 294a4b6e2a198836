# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Image references: what a pod asks for (repository, tag, digest). Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..base.errors import HitlessError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """An image as a pod asks for it. text: how the user wrote it."""

    text: str
    repository: str
    tag: str | None
    digest: str | None


def parse(text: str) -> Reference:
    """The parts of a reference, the repository in full; raises HitlessError."""
    name, at, digest = text.strip().partition("@")
    # A colon before the last slash belongs to the registry's port.
    folder, slash, rest = name.rpartition("/")
    last, colon, tag = rest.partition(":")
    wrong_digest = at and not DIGEST.fullmatch(digest)
    wrong_tag = colon and not tag
    if not last or wrong_digest or wrong_tag or any(letter.isspace() for letter in text):
        raise HitlessError(f"{text!r} isn't an image reference such as quay.io/cilium/cilium:v1.18.4@sha256:...")
    if not tag and not digest:
        tag = "latest"
    return Reference(text.strip(), _in_full(f"{folder}{slash}{last}"), tag or None, digest or None)


def _in_full(repository: str) -> str:
    """A repository with its registry: nginx is docker.io/library/nginx."""
    first, slash, _rest = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}"
    is_registry = "." in first or ":" in first or first == "localhost"
    return repository if is_registry else f"docker.io/{repository}"


def digest_of(image_id: str) -> str | None:
    """The digest in the imageID of a container's status. None: there is none, so the image was not pulled."""
    found = DIGEST.search(image_id)
    return found.group() if found else None

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.image_ref import digest_of, parse

A = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("quay.io/cilium/cilium:v1.18.4", "quay.io/cilium/cilium", "v1.18.4", None),
        (f"quay.io/cilium/cilium:v1.18.4@{A}", "quay.io/cilium/cilium", "v1.18.4", A),
        (f"quay.io/cilium/cilium@{A}", "quay.io/cilium/cilium", None, A),
        ("quay.io/cilium/cilium", "quay.io/cilium/cilium", "latest", None),
        ("nginx", "docker.io/library/nginx", "latest", None),
        ("cilium/cilium:v1", "docker.io/cilium/cilium", "v1", None),
        ("localhost/cilium:v1", "localhost/cilium", "v1", None),
        ("registry:5000/cilium", "registry:5000/cilium", "latest", None),
    ],
)
def test_parse(text, repository, tag, digest):
    found = parse(text)
    assert (found.repository, found.tag, found.digest) == (repository, tag, digest)


@pytest.mark.parametrize("text", ["", "quay.io/", "quay.io/cilium:", "quay.io/cilium@sha256:123", "a b", f"@{A}"])
def test_parse_refuses_what_is_no_reference(text):
    with pytest.raises(HitlessError, match="isn't an image reference"):
        parse(text)


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"quay.io/cilium/cilium@{A}", A),
        (f"docker-pullable://quay.io/cilium/cilium@{A}", A),
        (A, A),
        ("", None),
        ("quay.io/cilium/cilium:v1", None),
    ],
)
def test_digest_of(image_id, digest):
    assert digest_of(image_id) == digest

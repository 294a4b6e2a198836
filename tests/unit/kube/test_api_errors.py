# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.kube.api_errors import (
    ServerError,
    TooManyRequests,
    error_of,
    right_needed,
    status_object,
)


@pytest.mark.parametrize(
    ("method", "path", "query", "right"),
    [
        ("GET", "/api/v1/nodes", {}, "list nodes"),
        ("GET", "/api/v1/nodes/worker-3", {}, "get nodes"),
        ("PATCH", "/api/v1/nodes/worker-3", {}, "patch nodes"),
        ("GET", "/api/v1/pods", {"watch": 1}, "watch pods"),
        ("POST", "/api/v1/namespaces/shop/pods/web-1/eviction", {}, "create pods/eviction in namespace shop"),
        ("DELETE", "/api/v1/namespaces/shop/pods/web-1", {}, "delete pods in namespace shop"),
        ("GET", "/apis/apps/v1/namespaces/shop/daemonsets/x", {}, "get daemonsets in namespace shop"),
        ("GET", "/apis/cilium.io/v2/ciliumnodes/worker-3", {}, "get ciliumnodes"),
        ("GET", "/api/v1/namespaces/shop", {}, "get namespaces"),
    ],
)
def test_right_needed(method, path, query, right):
    assert right_needed(method, path, query) == right


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message": "no such node", "code": 404}', "no such node"),
        (b'{"code": 500}', '{"code": 500}'),
        (b"<html>bad gateway</html>\n", "<html>bad gateway</html>"),
        (b'["a list"]', '["a list"]'),
        (b"", ""),
    ],
)
def test_status_object_is_whatever_came(body, message):
    assert status_object(body)["message"] == message


def test_error_of_takes_the_time_to_wait_from_the_header():
    asked = {"right": "create pods/eviction", "source": "kubeconfig x"}
    error = error_of("POST", "https://k/x", 429, {"message": "slow down"}, headers={"Retry-After": "7"}, **asked)
    assert (type(error), error.retry_after, error.msg) == (TooManyRequests, 7.0, "POST https://k/x: slow down (429)")
    error = error_of("POST", "https://k/x", 502, {}, headers={"Retry-After": "Fri, 31 Dec"}, **asked)
    assert (type(error), error.retry_after, error.msg) == (ServerError, None, "POST https://k/x: no message (502)")

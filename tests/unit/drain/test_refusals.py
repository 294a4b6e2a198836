# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.drain.refusals import LONG_PAUSE, PAUSE, refusal
from ansible_collections.hitless.nodes.plugins.module_utils.kube.api_errors import (
    ApiError,
    Conflict,
    Forbidden,
    ServerError,
    TooManyRequests,
    Unreachable,
)

# Messages as API servers write them (pkg/registry/core/pod/storage/eviction.go, apiserver's webhook/errors).
BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
NEEDS = "The disruption budget web needs 3 healthy pods and has 3 currently"
LAGS = "The disruption budget web is still being processed by the server."
DENIED = 'pods "web-1" is forbidden: admission webhook "evict.example.org" denied the request: VM is moving'
SILENT = 'pods "web-1" is forbidden: admission webhook "evict.example.org" denied the request without explanation'
AWAY = 'Internal error occurred: failed calling webhook "evict.example.org": failed to call webhook: Post: refused'
POLICY = (
    "pods \"web-1\" is forbidden: ValidatingAdmissionPolicy 'no-evict' with binding 'b' denied request: not at night"
)
TWO = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
RIGHT = 'pods "web-1" is forbidden: User "ops" cannot create resource "pods/eviction" in API group ""'
TERMINATING = "unable to create new content in namespace shop because it is being terminated"


def error(kind, status, message, *, details=None, retry_after=None):
    made = kind(f"POST https://api/eviction: {message} ({status})", status=status, details=details, message=message)
    made.retry_after = retry_after
    return made


def cause(reason, message=""):
    return {"causes": [{"reason": reason, "message": message}]}


@pytest.mark.parametrize(
    ("made", "kind", "words", "pause"),
    [
        (error(TooManyRequests, 429, BUDGET, details=cause("DisruptionBudget", NEEDS)), "budget", NEEDS, PAUSE),
        (
            error(TooManyRequests, 429, BUDGET, details=cause("DisruptionBudget", LAGS), retry_after=10.0),
            "budget",
            LAGS,
            10.0,
        ),
        (error(TooManyRequests, 429, "Too many requests", retry_after=3.0), "busy", "flow control", 3.0),
        (error(TooManyRequests, 429, "Too many requests"), "busy", "flow control", PAUSE),
        (
            error(TooManyRequests, 429, DENIED),
            "webhook",
            "admission webhook evict.example.org refuses: VM is",
            LONG_PAUSE,
        ),
        (error(Forbidden, 403, DENIED), "webhook", "admission webhook evict.example.org refuses: VM is", LONG_PAUSE),
        (error(ApiError, 400, DENIED), "webhook", "admission webhook evict.example.org refuses: VM is", LONG_PAUSE),
        (error(Forbidden, 403, SILENT), "webhook", "refuses: without", LONG_PAUSE),
        (error(ServerError, 500, AWAY), "webhook", "evict.example.org doesn't answer: failed to call", LONG_PAUSE),
        (
            error(ApiError, 422, POLICY),
            "policy",
            "ValidatingAdmissionPolicy no-evict refuses: not at night",
            LONG_PAUSE,
        ),
        (error(ServerError, 500, TWO), "two budgets", "shop/all and shop/web", LONG_PAUSE),
        (error(ServerError, 500, "etcd is away"), "server", "etcd is away (500)", LONG_PAUSE),
        (error(ServerError, 504, "conflicts", retry_after=10.0), "server", "conflicts (504)", 10.0),
        (error(ServerError, 503, "starting"), "busy", "starting (503)", PAUSE),
        (error(Conflict, 409, "Precondition failed: UID"), "changed", "(409)", LONG_PAUSE),
        (
            error(Forbidden, 403, TERMINATING, details=cause("NamespaceTerminating")),
            "namespace",
            "its namespace is being deleted",
            LONG_PAUSE,
        ),
        (
            error(
                Forbidden,
                403,
                'poddisruptionbudget.policy "web" is forbidden: DisruptedPods map too big',
                details={"kind": "poddisruptionbudget", "name": "web", "group": "policy"},
            ),
            "budget",
            "DisruptedPods map too big",
            LONG_PAUSE,
        ),
        (error(Forbidden, 403, RIGHT), "final", "cannot create", LONG_PAUSE),
        (error(ApiError, 422, "spec is invalid"), "final", "spec is invalid", LONG_PAUSE),
        (Unreachable("the Kubernetes API can't be reached"), "away", "can't be reached", PAUSE),
    ],
)
def test_refusals_are_told_apart(made, kind, words, pause):
    found = refusal(made, ["shop/all", "shop/web"])
    assert (found.kind, found.pause) == (kind, pause)
    assert words in found.words
    assert found.final is (kind == "final")
    assert found.for_all is (kind in ("away", "busy"))


@pytest.mark.parametrize("message", [NEEDS, LAGS])
def test_the_budget_s_name_is_in_the_cause(message):
    made = error(TooManyRequests, 429, BUDGET, details=cause("DisruptionBudget", message))
    assert refusal(made, []).budgets == ("web",)


def test_two_budgets_that_may_not_be_read():
    assert "which can't be read" in refusal(error(ServerError, 500, TWO), []).words

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Why an eviction was refused: what it means, when to ask again, and in which words. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..base.errors import HitlessError
from ..kube.api_errors import ApiError, Conflict, Forbidden, ServerError, TooManyRequests

# The eviction of the same pod is requested at most once in this time.
PAUSE = 1.0
# Causes that don't end within a second: a webhook's answer, a second budget, a namespace that is being deleted.
LONG_PAUSE = 5.0

# Only the message of an API server says who refused (apiserver: webhook/errors/statuserror.go, webhook/validating,
# policy/validating). A webhook chooses the status of its refusal. The default is 403, as for a missing right.
WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request:? ?(.*)', re.DOTALL)
WEBHOOK_AWAY = re.compile(r'failed calling webhook "([^"]+)": (.*)', re.DOTALL)
POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)'.* denied request: (.*)", re.DOTALL)
# The name in the cause's text, if there is no right to list budgets.
BUDGET = re.compile(r"The disruption budget (\S+) ")
TWO_BUDGETS = "more than one PodDisruptionBudget"

Kind = Literal["away", "busy", "budget", "two budgets", "webhook", "policy", "namespace", "changed", "server", "final"]


@dataclass(frozen=True)
class Refusal:
    """One refused eviction. pause: seconds until it may be asked for again."""

    kind: Kind
    words: str
    pause: float = LONG_PAUSE
    # Names of the budgets that refused, as far as the server named them.
    budgets: tuple[str, ...] = ()

    @property
    def final(self) -> bool:
        """Whether it is useless to ask again."""
        return self.kind == "final"

    @property
    def for_all(self) -> bool:
        """Whether it is about the API server, not this pod. Then nothing is requested until the pause is over."""
        return self.kind in ("away", "busy")


def refusal(error: HitlessError, budgets: Sequence[str]) -> Refusal:
    """What a refused eviction means. budgets: namespace/name of those that are known to protect the pod."""
    if not isinstance(error, ApiError):
        return Refusal("away", error.msg, PAUSE)
    asked_to_wait = error.retry_after or 0.0
    if isinstance(error, TooManyRequests) and error.has_cause("DisruptionBudget"):
        return _budget(error, asked_to_wait)
    if found := _admission(error.message, asked_to_wait):
        return found
    if isinstance(error, TooManyRequests):
        words = f"the API server is busy (429, flow control): {error.message}"
        return Refusal("busy", words, max(PAUSE, asked_to_wait))
    if isinstance(error, ServerError):
        return _server_error(error, budgets, asked_to_wait)
    if isinstance(error, Conflict):
        # Another pod has the name. The watch will soon show it. Each request would cost the budget a disruption.
        return Refusal("changed", f"{error.message} (409)")
    if isinstance(error, Forbidden):
        return _forbidden(error)
    return Refusal("final", error.msg)


def _budget(error: ApiError, asked_to_wait: float) -> Refusal:
    """The refusal if a budget allows no disruption now."""
    causes = [cause.get("message", "") for cause in error.details.get("causes") or []]
    names = tuple(match[1] for cause in causes if (match := BUDGET.search(cause)))
    return Refusal("budget", "; ".join(causes), max(PAUSE, asked_to_wait), names)


def _admission(message: str, asked_to_wait: float) -> Refusal | None:
    """What an admission webhook or policy said, None if it wasn't one."""
    if found := WEBHOOK.search(message):
        words = f"admission webhook {found[1]} refuses: {found[2]}"
        return Refusal("webhook", words, max(LONG_PAUSE, asked_to_wait))
    if found := WEBHOOK_AWAY.search(message):
        return Refusal("webhook", f"admission webhook {found[1]} doesn't answer: {found[2]}")
    if found := POLICY.search(message):
        return Refusal("policy", f"ValidatingAdmissionPolicy {found[1]} refuses: {found[2]}")
    return None


def _forbidden(error: Forbidden) -> Refusal:
    """A 403 is a missing right, unless its details say otherwise."""
    if error.has_cause("NamespaceTerminating"):
        return Refusal("namespace", "its namespace is being deleted, and it will be with it")
    if str(error.details.get("kind", "")).startswith("poddisruptionbudget"):
        return Refusal("budget", error.message, LONG_PAUSE, (str(error.details.get("name", "")),))
    return Refusal("final", error.msg)


def _server_error(error: ServerError, budgets: Sequence[str], asked_to_wait: float) -> Refusal:
    # The answer for two budgets has no reason, no cause and no details.
    if TWO_BUDGETS in error.message:
        names = " and ".join(budgets) if len(budgets) > 1 else "which can't be read"
        return Refusal(
            "two budgets", f"more than one PodDisruptionBudget protects it, and the API evicts no such pod: {names}"
        )
    if error.status == 503:
        return Refusal("busy", f"{error.message} (503)", max(PAUSE, asked_to_wait))
    return Refusal("server", f"{error.message} ({error.status})", max(LONG_PAUSE, asked_to_wait))

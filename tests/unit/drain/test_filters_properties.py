# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drain's rules against a second, naive statement of kubectl's (pkg/drain/filters.go), on pods of all kinds.

The second statement knows nothing of ours: kubectl's five filters one after the other, and its way with selectors and
tolerations, written down from its sources and the API's documentation.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

from ansible_collections.hitless.nodes.plugins.module_utils.drain import pod_selector
from ansible_collections.hitless.nodes.plugins.module_utils.drain.filters import (
    Permissions,
    daemonset_of,
    judge,
)
from ansible_collections.hitless.nodes.plugins.module_utils.kube.pods import tolerates_cordon
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, 0, 0, 400_000, tzinfo=UTC)
MIRROR = "kubernetes.io/config.mirror"
DAEMONSETS = ("cilium", "exporter")

# --- the second statement ------------------------------------------------------------------------------------------

GO, LEAVE, ERROR = "evict", "skip", "refuse"


def skip_deleted_filter(pod, flags):
    timestamp = pod["metadata"].get("deletionTimestamp")
    if flags["skip_wait"] > 0 and timestamp:
        age = NOW - datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        # Go's int(Duration.Seconds()) cuts towards zero.
        if int(age.total_seconds()) > flags["skip_wait"]:
            return LEAVE
    return GO


def daemon_set_filter(pod, flags):
    reference = None
    for candidate in pod["metadata"].get("ownerReferences", []):
        if candidate.get("controller") is True:
            reference = candidate
            break
    if reference is None or reference["apiVersion"] != "apps/v1" or reference["kind"] != "DaemonSet":
        return GO
    if pod["status"].get("phase") == "Succeeded" or pod["status"].get("phase") == "Failed":
        return GO
    if reference["name"] not in DAEMONSETS:
        return GO if flags["force"] else ERROR
    return LEAVE if flags["ignore_daemonsets"] else ERROR


def mirror_pod_filter(pod, _flags):
    return LEAVE if MIRROR in pod["metadata"].get("annotations", {}) else GO


def local_storage_filter(pod, flags):
    if all(volume.get("emptyDir") is None for volume in pod["spec"].get("volumes", [])):
        return GO
    if pod["status"].get("phase") == "Succeeded" or pod["status"].get("phase") == "Failed":
        return GO
    return GO if flags["delete_emptydir_data"] else ERROR


def unreplicated_filter(pod, flags):
    if pod["status"].get("phase") == "Succeeded" or pod["status"].get("phase") == "Failed":
        return GO
    for candidate in pod["metadata"].get("ownerReferences", []):
        if candidate.get("controller") is True:
            return GO
    return GO if flags["force"] else ERROR


def by_kubectl(pod, flags):
    """The filters in kubectl's order: the first one that doesn't let the pod go ends it."""
    filters = [
        skip_deleted_filter, daemon_set_filter, mirror_pod_filter, local_storage_filter, unreplicated_filter,
    ]  # fmt: skip
    for one in filters:
        answer = one(pod, flags)
        if answer != GO:
            return answer
    return GO


# --- pods and flags ------------------------------------------------------------------------------------------------

keys = st.sampled_from(["app", "tier", "example.org/app"])
values = st.sampled_from(["web", "db", "a-b.c", ""])
labels = st.dictionaries(keys, values, max_size=3)


def owner(kind, name="some", api="apps/v1", **controller):
    return {"apiVersion": api, "kind": kind, "name": name, "uid": f"{kind} {name}", **controller}


# An API server lets in one controller at most. A false one may be left out.
CONTROLLERS = [
    None,
    owner("ReplicaSet", controller=True),
    owner("Database", controller=True),
    owner("Node", controller=True),
    owner("daemonset", controller=True),
    owner("DaemonSet", "cilium", controller=True),
    owner("DaemonSet", "gone", controller=True),
    owner("DaemonSet", "cilium", api="apps.kruise.io/v1alpha1", controller=True),
]
OTHERS = [
    [],
    [owner("ConfigMap")],
    [owner("DaemonSet", "exporter", controller=False)],
    [owner("DaemonSet", "gone"), owner("Job", controller=False)],
]
# An emptyDir without settings is {}, which a test of truth would take for none.
VOLUMES = [
    [],
    [{"name": "c", "configMap": {"name": "c"}}],
    [{"name": "e", "emptyDir": {}}],
    [{"name": "p", "persistentVolumeClaim": {"claimName": "p"}}, {"name": "m", "emptyDir": {"medium": "Memory"}}],
]
ANNOTATIONS = [{}, {}, {"note": "x"}, {MIRROR: "hash"}, {MIRROR: ""}]
# Seconds since a pod should have been gone: around the values of skip_wait below, and not yet.
AGES = [None, None, -30, 0, 1, 2, 5, 6, 30, 31, 40]


@st.composite
def some_pods(draw):
    """A pod as an API server returns it: what is empty is absent."""
    controller, others = draw(st.sampled_from(CONTROLLERS)), draw(st.sampled_from(OTHERS))
    owners = [*others, controller] if draw(st.booleans()) else [controller, *others]
    metadata = {"namespace": draw(st.sampled_from(["shop", "kube-system"])), "name": "web-1", "uid": "u"}
    optional = {
        "labels": draw(labels),
        "annotations": dict(draw(st.sampled_from(ANNOTATIONS))),
        "ownerReferences": [found for found in owners if found],
    }
    metadata |= {key: value for key, value in optional.items() if value}
    age = draw(st.sampled_from(AGES))
    if age is not None:
        metadata["deletionTimestamp"] = (NOW - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    spec = {"nodeName": "worker-3"}
    if found := draw(st.sampled_from(VOLUMES)):
        spec["volumes"] = list(found)
    phase = draw(st.sampled_from(["Pending", "Running", "Running", "Succeeded", "Failed", "Unknown", None]))
    return copy.deepcopy({"metadata": metadata, "spec": spec, "status": {"phase": phase} if phase else {}})


some_flags = st.fixed_dictionaries(
    {
        "ignore_daemonsets": st.booleans(),
        "delete_emptydir_data": st.booleans(),
        "force": st.booleans(),
        "skip_wait": st.sampled_from([0, 0, 1, 5, 30]),
    }
)


def by_us(pod, flags, **more):
    owner = daemonset_of(pod)
    exists = owner is None or (owner[0] == pod["metadata"]["namespace"] and owner[1] in DAEMONSETS)
    return judge(pod, Permissions(**flags, **more), daemonset_exists=exists, now=NOW)


# --- what must hold ------------------------------------------------------------------------------------------------


# Enough that every combination of two things comes up many times, also those that are rare.
@settings(max_examples=1000)
@given(pod=some_pods(), flags=some_flags)
def test_every_pod_is_judged_as_kubectl_does(pod, flags):
    assert by_us(pod, flags).action == by_kubectl(pod, flags)


@given(pod=some_pods(), flags=some_flags)
def test_whoever_allows_everything_is_never_refused(pod, flags):
    allowed = {**flags, "ignore_daemonsets": True, "delete_emptydir_data": True, "force": True}
    assert by_us(pod, allowed).action != "refuse"


@given(pod=some_pods(), flags=some_flags, more=st.sampled_from(["ignore_daemonsets", "delete_emptydir_data", "force"]))
def test_to_allow_more_never_keeps_a_pod_that_went_before(pod, flags, more):
    before, after = by_us(pod, flags).action, by_us(pod, {**flags, more: True}).action
    assert (before, after) in {
        ("evict", "evict"), ("skip", "skip"), ("refuse", "refuse"), ("refuse", "evict"), ("refuse", "skip"),
    }  # fmt: skip


@given(pod=some_pods(), flags=some_flags)
def test_a_refusal_names_the_option_that_ends_it(pod, flags):
    """Whoever follows the messages gets there, with no more options than there are."""
    flags = dict(flags)
    for _unused in range(3):
        decision = by_us(pod, flags)
        if decision.action != "refuse":
            break
        named = [name for name in ("ignore_daemonsets", "delete_emptydir_data", "force") if name in decision.reason]
        assert len(named) == 1
        assert not flags[named[0]]
        flags[named[0]] = True
    assert by_us(pod, flags).action != "refuse"


@given(pod=some_pods(), flags=some_flags)
def test_what_only_the_node_can_end_never_goes(pod, flags):
    pod["metadata"].setdefault("annotations", {})[MIRROR] = "hash"
    assert by_us(pod, flags).action != "evict"


@given(pod=some_pods(), flags=some_flags, order=st.randoms(use_true_random=False))
def test_the_order_of_owners_and_volumes_means_nothing(pod, flags, order):
    shuffled = copy.deepcopy(pod)
    order.shuffle(shuffled["metadata"].get("ownerReferences", []))
    order.shuffle(shuffled["spec"].get("volumes", []))
    assert by_us(shuffled, flags) == by_us(pod, flags)


@given(pod=some_pods(), flags=some_flags)
def test_judging_changes_nothing(pod, flags):
    before = copy.deepcopy(pod)
    by_us(pod, flags)
    assert pod == before


@given(pod=some_pods(), flags=some_flags, left_out=st.lists(st.sampled_from(["shop", "kube-system", "x"]), max_size=2))
def test_a_namespace_that_is_left_out_is_as_if_its_pods_were_not_there(pod, flags, left_out):
    decision = by_us(pod, flags, exclude_namespaces=tuple(left_out))
    if pod["metadata"]["namespace"] in left_out:
        assert decision.action == "skip"
    else:
        assert decision == by_us(pod, flags)


# --- selectors -----------------------------------------------------------------------------------------------------

# (text, what it means for a pod's labels), as the documentation of labels and selectors has it.
terms = st.one_of(
    st.builds(lambda k, o, v: (f"{k}{o}{v}", lambda of: of.get(k) == v), keys, st.sampled_from(["=", "=="]), values),
    st.builds(lambda k, v: (f"{k}!={v}", lambda of: of.get(k) != v), keys, values),
    st.builds(
        lambda k, v: (f"{k} in ({','.join(v)})", lambda of: k in of and of[k] in v),
        keys,
        st.lists(values, min_size=1, max_size=3, unique=True),
    ),
    st.builds(
        lambda k, v: (f"{k} notin ( {' , '.join(v)} )", lambda of: k not in of or of[k] not in v),
        keys,
        st.lists(values, min_size=1, max_size=3, unique=True),
    ),
    st.builds(lambda k: (k, lambda of: k in of), keys),
    st.builds(lambda k: (f"!{k}", lambda of: k not in of), keys),
)


@given(pod=some_pods(), flags=some_flags, chosen=st.lists(terms, max_size=3), comma=st.sampled_from([",", ", ", " ,"]))
def test_a_selector_means_what_its_parts_mean(pod, flags, chosen, comma):
    selector = pod_selector.parse(comma.join(text for text, _meaning in chosen))
    selected = all(meaning(pod["metadata"].get("labels", {})) for _text, meaning in chosen)
    decision = by_us(pod, flags, selector=selector)
    if selected:
        assert decision == by_us(pod, flags)
    else:
        assert decision.action == "skip"


# --- tolerations ---------------------------------------------------------------------------------------------------

tolerations = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from(["node.kubernetes.io/unschedulable", "node.kubernetes.io/not-ready", ""]),
        "operator": st.sampled_from(["Exists", "Equal"]),
        "value": st.sampled_from(["", "true"]),
        "effect": st.sampled_from(["", "NoSchedule", "NoExecute", "PreferNoSchedule"]),
    },
)


@given(given=st.lists(tolerations, max_size=3))
def test_tolerations_are_read_as_the_scheduler_does(given):
    """Toleration.ToleratesTaint of k8s.io/api/core/v1, for the taint of a cordoned node: no value, NoSchedule."""

    def tolerates(toleration):
        if toleration.get("effect", "") not in ("", "NoSchedule"):
            return False
        if toleration.get("key", "") not in ("", "node.kubernetes.io/unschedulable"):
            return False
        if toleration.get("operator", "Equal") == "Exists":
            return True
        # Equal with an empty key is no valid toleration: the API server refuses it.
        return toleration.get("key", "") != "" and toleration.get("value", "") == ""

    pod = {"metadata": {}, "spec": {"tolerations": given}}
    assert tolerates_cordon(pod) is any(tolerates(one) for one in given)

# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.image_verdicts import COMING, Verdict
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull_plan import (
    ASKED,
    FAILED,
    THERE,
    WAITING,
    Target,
    next_nodes,
    progress,
)

HERE = Verdict("there", "sha256:1", "pod")
DENIED = Verdict("failing", words="denied")
WRONG = Verdict("failing", words="no such name", final=True)
UNPROVEN = Verdict("coming", words="no digest")


def target(name="w1", *, before=False, state=ASKED):
    return Target(name, "linux/amd64", before, state)


def test_a_node_is_done_when_all_its_images_are_there():
    one = target()
    one.judge([HERE, COMING], 5.0, 600)
    assert (one.state, one.words, one.failing) == (ASKED, "", None)
    one.judge([HERE, HERE], 7.0, 600)
    assert (one.state, one.seconds, one.digests, one.how) == (THERE, 7.0, ["sha256:1"] * 2, ["pod"] * 2)


def test_a_pull_that_fails_is_failing_since_then_until_it_goes_on():
    one = target()
    one.judge([DENIED, UNPROVEN], 5.0, 600)
    one.judge([DENIED, DENIED], 6.0, 600)
    assert (one.state, one.words, one.failing) == (ASKED, "denied", 5.0)
    one.judge([HERE, UNPROVEN], 7.0, 600)
    assert (one.words, one.failing) == ("no digest", None)


@pytest.mark.parametrize(
    ("verdict", "now", "words"),
    [
        (WRONG, 1.0, "no such name"),
        (DENIED, 601.0, "not there after 600 s: denied"),
        (COMING, 601.0, "not there after 600 s: still pulling"),
    ],
)
def test_a_node_fails_where_trying_again_is_in_vain_or_its_time_is_over(verdict, now, words):
    one = target()
    one.judge([verdict], now, 600)
    assert (one.state, one.words) == (FAILED, words)


def test_nodes_that_have_the_images_do_not_count_as_pulling():
    nodes = [
        target("w1"),
        target("w2", before=True),
        target("w3", before=True, state=WAITING),
        target("w4", before=None, state=WAITING),
        target("w5", state=WAITING),
        target("w6", state=WAITING),
    ]
    assert next_nodes(nodes, ["w1", "w2"], 2) == ["w1", "w2", "w3", "w4"]
    assert next_nodes(nodes, ["w1", "w2"], 1) == ["w1", "w2", "w3"]


def test_progress_names_the_trouble_of_two_nodes():
    nodes = [target("w1", state=THERE), *[target(f"w{number}") for number in (2, 3, 4)], target("w5", state=FAILED)]
    for one in nodes[1:]:
        one.words = "denied"
    assert progress(nodes) == ("1 of 5 nodes have the images, 3 are pulling, 1 have failed; w2: denied; w3: denied")
    assert progress(nodes[:1]) == "1 of 1 nodes have the images, 0 are pulling"

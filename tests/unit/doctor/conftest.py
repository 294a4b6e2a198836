# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import Picture
from ansible_collections.hitless.nodes.tests.unit.frr_samples import VERSIONS


@pytest.fixture(params=VERSIONS)
def picture(request: pytest.FixtureRequest) -> Picture:
    return Picture(request.param)

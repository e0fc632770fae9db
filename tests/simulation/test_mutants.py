# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every break that `make mutants` makes can still be made; whether the simulation sees it takes longer to find out."""

from __future__ import annotations

import collections

import pytest
import yaml

from simulation import mutants

LISTED = yaml.safe_load(mutants.LISTED.read_text(encoding="utf-8"))


@pytest.mark.parametrize("mutant", LISTED, ids=lambda mutant: mutant["name"].replace(" ", "-"))
def test_a_break_can_be_made(mutant: dict[str, str]) -> None:
    text = mutants.broken(mutant)
    assert text != (mutants.ROOT / mutant["file"]).read_text(encoding="utf-8")
    if mutant["file"].endswith(".py"):
        compile(text, mutant["file"], "exec")
    else:
        yaml.safe_load(text)


def test_no_break_is_listed_twice() -> None:
    counted = collections.Counter(mutant["name"] for mutant in LISTED)
    assert counted.most_common(1)[0][1] == 1
    assert len(LISTED) >= 34

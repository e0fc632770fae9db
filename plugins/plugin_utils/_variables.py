# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. Do not use it from outside.

"""What the actions of a run's begin and end take from the variables of the host: the role's, Ansible's own and AWX's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._options import from_text
from ansible_collections.bluegreen.kubernetes.plugins.module_utils._release.settings import (
    OURS,
    PREFIX,
    config_files,
    unquoted,
)

PLAYBOOKS = Path(__file__).resolve().parent.parent.parent / "playbooks"

# The role's own variables: the results of the runs of this play, by application; the files of the configuration, and
# what they hold.
RESULTS = "__bluegreen_results"
FILES, TEXTS = "__bluegreen_config_files", "__bluegreen_config_texts"

Variables = dict[str, Any]


def settings(task_vars: Variables, template: Any) -> Variables:
    """The role's variables, as somebody has written them, with what is Jinja in them filled in.

    :param template: makes the value of a variable from what is written.
    """
    names = [name for name in task_vars if name.startswith(PREFIX) and name[len(PREFIX) :] not in OURS]
    return {name: template(task_vars[name]) for name in names}


def configs(task_vars: Variables, settings: Variables, version: Any, directory: str, templar: Any) -> str | None:
    """What the files of ``bluegreen_config`` hold on each color, as JSON; ``None`` where there are none.

    The role's own variable fills them in, so that they are the same when they are written.
    """
    paths, colors = (from_text(settings.get(PREFIX + name), list) for name in ("config", "colors"))
    if not isinstance(paths, list) or not isinstance(colors, list) or TEXTS not in task_vars:
        return None
    files = config_files([str(path) for path in paths], directory)
    found = {}
    for color in colors if files else ():
        bound = {"bluegreen_color": color, "bluegreen_expected_version": unquoted(str(version or "")), FILES: files}
        filled = templar.copy_with_new_env(available_variables={**task_vars, **bound})
        found[str(color)] = dict(zip(files, filled.template(task_vars[TEXTS])))
    return json.dumps(found) if found else None


def application(task_vars: Variables, services: Any) -> str:
    """The name by which results are kept: the host's, or that of the first Service where the host is only localhost."""
    if task_vars["inventory_hostname"] != "localhost":
        return task_vars["inventory_hostname"]
    names = from_text(services, list)
    return str(names[0]) if isinstance(names, list) and names else "localhost"


def directory(task_vars: Variables) -> str:
    """Where relative paths start: at the user's playbook, or at the working directory when it is the collection's."""
    found = task_vars.get("playbook_dir") or os.getcwd()
    return os.getcwd() if Path(found).resolve() == PLAYBOOKS else found


def approved(task_vars: Variables, extra: Mapping[str, Any], name: str) -> Variables:
    """What the run before in a workflow has prepared, and somebody has approved of; empty when that is not known.

    It is an extra variable in a workflow of AWX, else what the role has left in this play. Facts do not count, because a
    cache brings those of earlier runs as well.

    :param extra: the extra variables.
    """
    facts = task_vars.get("ansible_facts") or {}
    variable = task_vars.get("bluegreen_result")
    if variable == facts.get("bluegreen_result"):
        variable = None
    results = extra.get("bluegreen_result") or task_vars.get(RESULTS) or variable or {}
    return (results.get(name) or {}).get("prepared") or {}


def who(task_vars: Variables) -> Variables:
    """``by`` and ``job``: who started the run, and which job of an automation controller it is; empty where nobody says."""
    said = [task_vars.get(f"awx_{name}") or task_vars.get(f"tower_{name}") or "" for name in JOB]
    user, *job = map(str, said)
    return {"by": user, "job": " ".join(filter(None, job))}


def job_url() -> str | None:
    """The page of the job that this is a part of, as automation controllers and CI servers tell it to their jobs."""
    told = os.environ
    for url in (told.get("CI_JOB_URL"), told.get("BUILD_URL")):  # GitLab; Jenkins
        if url:
            return url
    if told.get("AWX_HOST") and told.get("JOB_ID"):
        return f"{told['AWX_HOST'].rstrip('/')}/#/jobs/playbook/{told['JOB_ID']}/output"
    if told.get("GITHUB_RUN_ID") and told.get("GITHUB_SERVER_URL"):
        return f"{told['GITHUB_SERVER_URL']}/{told.get('GITHUB_REPOSITORY')}/actions/runs/{told['GITHUB_RUN_ID']}"
    return None


JOB = ("user_name", "job_id", "job_template_name")

# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""How a run has ended: from what happened and what the cluster says after the last write, to one word and one sentence.

Used by success and failure of all flows alike. Nothing here reads a cluster or changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._application.history import entry_of

GOOD = ("released", "unchanged", "planned", "prepared", "rolled_back", "retired", "postponed")
BAD = ("refused", "aborted", "reverted", "superseded", "failed")
# Reasons for which the old color is simply retired another day.
POSTPONES = ("checks_failed", "not_ready", "not_due", "locked", "superseded")

SENTENCES = {
    "released": "{live}.",
    "unchanged": "{live} already; nothing was changed.",
    "planned": "this was a plan, nothing was changed; {live}.",
    "prepared": "ready to be promoted; {live}.",
    "rolled_back": "{live} again.",
    "retired": "the other color is retired; {live}.",
    "postponed": "the other color stays; {live}.",
    "refused": "nothing was changed; {live}.",
    "aborted": "stopped before the switch; {live}.",
    "reverted": "switched back; {live}.",
    "superseded": "another run took over and goes on; {live}.",
    "failed": "this run could not put things right; {live}.",
}
# Where it could not be read what is live, that is left out, and said where nothing else would be.
UNREAD = {
    **{outcome: text.replace("; {live}", "") for outcome, text in SENTENCES.items()},
    "released": "all was done; what is live could not be read.",
    "unchanged": "nothing was changed; what is live could not be read.",
    "rolled_back": "all was done; what is live could not be read.",
}

# Whose changes are something of a run in the cluster, though users see nothing of it.
UNSEEN = ("database", "deploy", "config", "undo", "follow", "follow back", "workers", "workers settle", "workers back")

ONE_COLOR = "Run rollback.yml as soon as the API server lets it: it puts all Services on one color."

Result = dict[str, Any]


@dataclass
class Happened:
    """What is known of a run at its end.

    ``flow``        release, prepare, promote, rollback or retire
    ``planned``     whether it was only a plan (check mode)
    ``needed``      whether there was anything to do, when it was planned under the lock
    ``lock_id``     the run, if it got the lock
    ``good_color``  what traffic was to be put on if it failed
    ``resumes``     the run whose release it went on with, or ``None``
    ``own_tasks``   whether tasks of the user's were to deploy
    ``stages``      what its steps returned, by their names; only those of this run
    ``failure``     the result of the task that failed, ``None`` for a run that came to its end
    ``lost_lock``   whether it turned out at the end that another run has the lock
    """

    flow: str
    planned: bool = False
    needed: bool = True
    lock_id: str | None = None
    good_color: str | None = None
    resumes: str | None = None
    own_tasks: bool = False
    stages: dict[str, Result] = field(default_factory=dict)
    failure: Result | None = None
    lost_lock: bool = False

    def of(self, stage: str) -> Result:
        return self.stages.get(stage) or {}

    @property
    def reason(self) -> str | None:
        """The short code of the failure, ``None`` when there was none."""
        if self.failure is None:
            return None
        return self.failure.get("reason") or "task_failed"


def judge(run: Happened, now: Result | None) -> str:
    """The outcome.

    :param now: what ``bg_current_color`` returned after the last write; ``None`` when nobody could tell.
    """
    if run.flow == "retire":
        return _of_retirement(run)
    if run.lost_lock or run.reason == "superseded":
        return "superseded"
    return _of_success(run) if run.failure is None else _of_failure(run, now or {})


def _of_retirement(run: Happened) -> str:
    if run.failure is not None:
        return "postponed" if run.reason in POSTPONES else "failed" if run.lock_id else "refused"
    ended = run.of("retire") or run.of("due")
    if ended.get("changed"):
        return "planned" if run.planned else "retired"
    return "unchanged" if ended.get("retired") else "postponed"


def _of_success(run: Happened) -> str:
    if run.planned:
        return "planned"
    if run.lock_id is None or not run.needed:
        return "unchanged"
    if run.flow == "prepare":
        return "prepared" if run.of("deploy").get("color") else "unchanged"
    return "rolled_back" if run.flow == "rollback" else "released"


def _of_failure(run: Happened, now: Result) -> str:
    switched = has_switched(run, now)
    if not run.planned and _is_not_right(run, now, switched):
        return "failed"
    if is_back(run, now):
        return "reverted"
    if run.flow == "rollback" and run.lock_id:
        return "failed"
    return "aborted" if switched or _did_something(run) else "refused"


def _is_not_right(run: Happened, now: Result, switched: bool) -> bool:
    """Whether users, or the writes of those whom they serve, may be worse off than before the run."""
    if are_frozen(run) or run.lock_id and now.get("pending_color"):
        return True
    if run.of("switch back").get("failed"):
        # Without an answer, nobody knows whether the switch has arrived.
        if switched or run.reason == "api_unreachable" and run.of("switch").get("to_color"):
            return True
    active = now.get("active_color")
    return switched and not is_back(run, now) and (active is None or active != good_color(run, now))


def are_frozen(run: Happened) -> bool:
    """Whether writes were handed over, and nobody could hand them back to the database of what is live."""
    back = run.of("hand back")
    never_tried = bool(run.of("hand over").get("job")) and run.of("switch back").get("failed") and "job" not in back
    return bool(back.get("failed") or never_tried)


def own_entry(run: Happened, now: Result) -> Result:
    """The entry of the history about this run, or about the one that it went on with; empty when there is none."""
    return entry_of(now.get("history") or [], run.resumes or run.lock_id)


def good_color(run: Happened, now: Result) -> str | None:
    """What traffic was to be put on: as it was planned, else what was live before the switch."""
    return run.good_color or own_entry(run, now).get("from_color")


def has_switched(run: Happened, now: Result) -> bool:
    """Whether this run, or the one that it goes on with, has moved the traffic, be it back again by now."""
    return bool(own_entry(run, now).get("switched_at") or run.of("switch").get("changed") or run.resumes)


def moved_away(run: Happened, now: Result) -> str | None:
    """The color that this run has made live, when it came to its end and another one is live by now; else ``None``."""
    entry = own_entry(run, now)
    made = entry.get("color") if entry.get("switched_at") else run.of("switch").get("to_color")
    if run.failure is not None or run.planned or entry.get("reverted_at") or not has_switched(run, now):
        return None
    return made if now.get("active_color") not in (None, made) else None


def is_gone(run: Happened, now: Result) -> str | None:
    """The color of which a run that came to its end would tell, when it has no Deployment any more; else ``None``."""
    told = run.of("deploy").get("color") if run.flow == "prepare" else now.get("active_color")
    found = (now.get("colors") or {}).get(told)
    if run.failure is not None or run.planned or run.flow == "retire" or found is None:
        return None
    return told if found["deployment"] is None else None


def is_back(run: Happened, now: Result) -> bool:
    """Whether what was switched was switched back, as the cluster says; where it says nothing, as the switch back said."""
    moved_back = run.of("switch back").get("changed") or own_entry(run, now).get("reverted_at")
    return bool(moved_back) and now.get("active_color") in (None, good_color(run, now))


def _did_something(run: Happened) -> bool:
    """Whether there is something of this run in the cluster, though users see nothing of it."""
    deploy, database = run.of("deploy"), run.of("database")
    return bool(
        deploy.get("color")
        or any(run.of(stage).get("changed") for stage in UNSEEN)
        or run.own_tasks
        and run.lock_id
        # Without an answer, nobody knows whether the write has arrived.
        or (deploy.get("failed") or database.get("failed"))
        and run.reason == "api_unreachable"
    )


def sentence(outcome: str, active_color: Any, version: Any, failure: Result | None, split: str | None = None) -> str:
    """What has happened, what is live, and what failed, in one line."""
    live = split or f"{active_color} (version {version}) is live"
    text = SENTENCES[outcome].format(live=live) if active_color or split else UNREAD[outcome]
    cause = first_line(failure or {})
    return f"{text} {cause}".strip()


def first_line(failure: Result) -> str:
    """What failed. Our own errors say it in their first line; where others say it, nobody knows."""
    text = str(failure.get("msg") or "").strip()
    if failure.get("reason") and failure["reason"] != "task_failed":
        return text.partition("\n")[0]
    return " ".join(text.split())[:1000]


def next_step(failure: Result) -> str | None:
    steps = [line[len("Next: ") :] for line in str(failure.get("msg") or "").splitlines() if line.startswith("Next: ")]
    return steps[-1] if steps else None


def account(result: Result, failure: Result | None, flow: str, wanted: Any) -> str:
    """All there is to say of a run that has failed, each fact once: its last words.

    :param result: of :func:`compose`.
    :param wanted: the version that the run was about, if that is known.
    """
    outcome, live, given = result["outcome"], result["active_color"], failure or {}
    lines = str(given.get("msg") or "").strip().splitlines()
    if result["reason"] == "task_failed":  # of somebody else's words, none is the first
        said = sentence(outcome, live, result["version"], None)
    else:
        said, lines = result["msg"], lines[1:]
    known = ("Next: ", "Live now: ") if live else ("Next: ",)
    lines = [line for line in lines if not line.startswith(known)]
    if result["next_step"]:
        lines.append(f"Next: {result['next_step']}")
    what = f"{flow.capitalize()} of {wanted}" if wanted else flow.capitalize()
    return "\n".join([f"{what} {outcome.upper()}: {said}", *lines])


def compose(
    outcome: str,
    active_color: Any,
    version: Any,
    previous_version: Any,
    failure: Result | None = None,
    timings: Result | None = None,
    prepared: Result | None = None,
    split: str | None = None,
) -> Result:
    """The dictionary that automation reads: always the same keys.

    :param split: which Services select which color, where they do not agree, so that none is live.

    :returns: outcome, msg, active_color, version (live now), previous_version (on the other color), reason, next_step
        (both ``None`` on success), timings (stage → seconds), prepared (what promote compares; ``None`` but for a
        prepared release).
    """
    return {
        "outcome": outcome,
        "msg": sentence(outcome, active_color, version, failure, split),
        "active_color": active_color,
        "version": version,
        "previous_version": previous_version,
        "reason": (failure or {}).get("reason") or "task_failed" if outcome in BAD else None,
        "next_step": ONE_COLOR if split and outcome in BAD else next_step(failure or {}),
        "timings": timings or {},
        "prepared": prepared,
    }

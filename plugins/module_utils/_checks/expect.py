# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. Do not use it from outside.

"""Expectations: what ``expect`` of a check says, and what is wrong with an answer."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.bluegreen.kubernetes.plugins.module_utils._checks.exchange import BODY_LIMIT, Answer

try:
    import jmespath
except ImportError:
    pass  # the reader of the checks says that it is missing

# What can be expected of a text, and of an HTTP answer.
TEXT = ("text", "regex", "latency")
ANSWER = ("status", "json", "header", *TEXT)

ANSWER_SHOWN, OUTPUT_SHOWN = 200, 2000  # characters of an answer, and of an output, in a reason


# --- reading -------------------------------------------------------------------------------------------------
def read(reader: Any, expect: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """The expectations in the form in which they are judged; mistakes are told to the reader."""
    if not isinstance(expect, dict):
        reader.wrong("expect is a dictionary, not {0!r}", expect)
        return {}
    expect = dict(expect)
    for option in sorted(set(expect) - set(known)):
        reader.wrong("unknown expectation {0!r}; known are {1}", option, ", ".join(known))
    if "status" in expect:
        statuses = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
        try:
            expect["status"] = [int(str(status)) for status in statuses]
        except ValueError:
            reader.wrong("expect.status is a number or a list of numbers, not {0!r}", expect["status"])
    for option in ("json", "header"):
        if option in expect and not isinstance(expect[option], dict):
            reader.wrong("expect.{0} is a dictionary, not {1!r}", option, expect[option])
            expect[option] = {}
    for path in expect.get("json", {}):
        try:
            jmespath.compile(path)
        except jmespath.exceptions.JMESPathError as error:
            reader.wrong("expect.json: {0!r} is no JMESPath: {1}", path, str(error).splitlines()[0])
        except (AttributeError, TypeError):
            reader.wrong("expect.json: {0!r} is no JMESPath, which is text", path)
    if "regex" in expect:
        try:
            re.compile(expect["regex"])
        except (re.error, TypeError) as error:
            reader.wrong("expect.regex {0!r}: {1}", expect["regex"], error)
    if "text" in expect and not isinstance(expect["text"], str):
        reader.wrong("expect.text is text, not {0!r}", expect["text"])
    for option in ("min", "max"):
        if option in expect and option in known:
            try:
                expect[option] = float(str(expect[option]))
            except ValueError:
                reader.wrong("expect.{0} is a number, not {1!r}", option, expect[option])
    reader.duration(expect, "latency")
    return expect


# --- judging -------------------------------------------------------------------------------------------------
def judge(expect: dict[str, Any], answer: Answer, latency: float) -> list[str]:
    """What is wrong with an HTTP answer, as a list of reasons; empty when it is as expected.

    :param latency: seconds until the whole answer was there.
    """
    wrong = []
    status, headers, text = answer.status, answer.headers, answer.text
    wanted = expect.get("status")
    if (status not in wanted) if wanted else not 200 <= status < 300:
        wrong.append(f"HTTP {status} instead of {' or '.join(map(str, wanted)) if wanted else '2xx'}")
        if headers.get("Location"):
            wrong[-1] += f", to {headers['Location']}"
    if "json" in expect:
        try:
            document = json.loads(text)
        except ValueError:
            cut = f" (more than {BODY_LIMIT} bytes of it are not read)"
            wrong.append("the answer is no JSON" + (cut if len(answer.body) >= BODY_LIMIT else ""))
        else:
            for path, value in expect["json"].items():
                found = jmespath.search(path, document)
                if not _same(found, value):
                    wrong.append(f"{path} is {json.dumps(found)}, expected {json.dumps(value)}")
    for name, value in expect.get("header", {}).items():
        if headers.get(name) != str(value):
            wrong.append(f"header {name} is {headers.get(name)!r}, expected {value!r}")
    wrong += judge_text(expect, text, latency)
    if wrong and answer.still_encoded:
        return [*wrong[:-1], f"{wrong[-1]} (its Content-Encoding {answer.still_encoded} is not known here)"]
    return with_answer(wrong, text)


def judge_text(expect: dict[str, Any], text: str, latency: float) -> list[str]:
    """What is wrong with a text, as a list of reasons."""
    wrong = []
    if "text" in expect and expect["text"] not in text:
        wrong.append(f"the text {expect['text']!r} is not in the answer")
    if "regex" in expect and not re.search(expect["regex"], text):
        wrong.append(f"the answer does not match {expect['regex']!r}")
    if "latency" in expect and latency > expect["latency"]:
        wrong.append(f"took {latency * 1000:.0f} ms, at most {expect['latency'] * 1000:.0f} ms expected")
    return wrong


def with_answer(wrong: list[str], text: str) -> list[str]:
    """The reasons, the last of them with the start of the answer that came instead."""
    if wrong:
        text = " ".join(text.split())[:ANSWER_SHOWN]
        wrong[-1] += f" (answer: {text})" if text else " (empty answer)"
    return wrong


def with_output(wrong: list[str], text: str) -> list[str]:
    """The reasons, the last of them with the end of the output that came instead."""
    if wrong:
        text = "\n".join(text.strip().splitlines()[-20:])[-OUTPUT_SHOWN:]
        wrong[-1] += "; it said:\n" + text if text else "; it said nothing"
    return wrong


def _same(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool) or found is None or value is None:
        return found is value
    # Jinja turns numbers into text and back, so 1 and "1" are the same here.
    return found == value or (
        not isinstance(found, (dict, list)) and not isinstance(value, (dict, list)) and str(found) == str(value)
    )

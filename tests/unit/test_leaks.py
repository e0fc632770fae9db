# Copyright (c) 2026, the bluegreen.kubernetes authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search of the suites' output for the credentials that they use."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import leaks
import pytest
import run

USED = {
    "token-of-awx": "an option of an AWX credential",
    "an-expired-or-forged-token": "a user of a kubeconfig",
    "example-only": "a Secret of the example",
    "canary-cookie": "a header",
    "canary-first": "a variable of a container",
    "s3cret%40pw": "an address",
}


@pytest.mark.parametrize("credential", USED, ids=USED.values())
def test_the_credentials_of_the_tests_are_known(credential: str) -> None:
    assert credential in leaks.credentials()


def test_of_a_source_only_what_holds_credentials_is_one() -> None:
    source = """
API_TOKEN: str = "assigned-1"
call(password="given-to-1", name="of-nothing")
user = {"token": "of-a-key", "tokens": ["in-a-list"], "name": "of-nothing", "apiVersion": "v1-of-what"}
env = [{"name": "PASSWORD", "value": "of-an-env"}, {"name": "COLOR", "value": "of-nothing"}]
"""
    pairs = leaks.in_python(source)
    found = {value for name, value in pairs if leaks.HOLDS.search(name)}
    assert found == {"assigned-1", "given-to-1", "of-a-key", "in-a-list", "of-an-env"}
    settings = 'stringData:\n  password: "of-a-secret"  # comment\n  - token: of-a-list\n  name: x\n'
    found = {value for name, value in leaks.in_settings(settings) if leaks.HOLDS.search(name)}
    assert found == {"of-a-secret", "of-a-list"}


TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLW9mLWl0"
KEY = "-----BEGIN RSA PRIVATE " + "KEY-----"
SHOWN = {
    "plain": "x 'hush-hush-1' y",
    "in an address": "http://u:hush%40hush@x",
    "in base64": base64.b64encode(b"hush-hush-1").decode(),
    "issued": f"Bearer {TOKEN}",
    "key": KEY,
    "key in base64": base64.b64encode(KEY.encode()).decode(),
}


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_a_hit_names_its_place_and_does_not_show_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one.log").write_text(f"nothing\n{text}\n")
    (found,) = leaks.hits([tmp_path], {"hush-hush-1", "hush@hush"})
    assert found.startswith(f"{tmp_path}/runs/one.log:2: ")
    assert text not in found and "hush-hush" not in found


def test_what_is_no_credential_is_no_hit(tmp_path: Path) -> None:
    certificate = "-----BEGIN CERTIFICATE-----"
    (tmp_path / "log").write_text(
        f"green 2.0\n{certificate}\n{base64.b64encode(certificate.encode()).decode()}\n********\n"
    )
    assert leaks.hits([tmp_path / "log"], {"hush-hush-1"}) == []


def test_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    log.write_text("nothing")
    assert leaks.main([str(log)]) == 0 and ": 0 hits" in capsys.readouterr().out
    log.write_text("token-of-awx")
    assert leaks.main([str(log)]) == 1 and ": 1 hits" in capsys.readouterr().out


def test_what_a_step_says_is_shown_and_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = "echo out; echo err >&2; sleep 600 & echo $! > child; printf last; exit 3"
    code = run.said(["sh", "-c", f"cd '{tmp_path}'; {script}"], {**os.environ}, tmp_path / "log")
    os.kill(int((tmp_path / "child").read_text()), 9)
    assert (code, (tmp_path / "log").read_text(), capfd.readouterr().out) == (3, "out\nerr\nlast", "out\nerr\nlast")


def test_what_is_interrupted_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run.os, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.said([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)"], {}, tmp_path / "log")

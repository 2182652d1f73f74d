"""The clock of a sandbox's services, when it is wrong."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B, effects

_HOUR_S = 3600


def _ahead_s(fake: FakeE2B, answer: httpx.Response) -> float:
    return parsedate_to_datetime(answer.headers["date"]).timestamp() - fake.clock.now_ns() / 1e9


def test_a_signed_url_expires_too_early(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("a", "text")
    url = sandbox.download_url("a", use_signature_expiration=_HOUR_S // 2)
    handle = fake.sandbox(sandbox)
    assert httpx.get(url).text == "text"
    handle.skew_clock(seconds=_HOUR_S)
    answer = httpx.get(url)
    assert answer.status_code == 401
    assert answer.json()["message"] == "signature is already expired"
    assert _ahead_s(fake, answer) == pytest.approx(_HOUR_S, abs=20)
    assert sandbox.files.read("a") == "text"  # by its token, which has no end
    handle.skew_clock(seconds=0)
    assert httpx.get(url).text == "text"


async def test_one_request_finds_it_behind(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    await sandbox.files.write("a", "text")
    url = sandbox.download_url("a", use_signature_expiration=-_HOUR_S // 2)
    fake.faults.add("files.download", effects.ClockSkew(-_HOUR_S), times=1)
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
        assert answer.text == "text"
        assert _ahead_s(fake, answer) == pytest.approx(-_HOUR_S, abs=20)
        assert (await client.get(url)).status_code == 401


def test_its_own_metrics_have_its_time(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fake.sandbox(sandbox).skew_clock(seconds=-_HOUR_S)
    answer = httpx.get(
        f"http://{sandbox.get_host(49983)}/metrics",
        headers={"X-Access-Token": str(sandbox._envd_access_token)},
    )
    assert answer.json()["ts"] - fake.clock.now_ns() / 1e9 == pytest.approx(-_HOUR_S, abs=20)
    [point] = sandbox.get_metrics()
    assert point.timestamp.timestamp() == pytest.approx(fake.clock.now_ns() / 1e9, abs=20)

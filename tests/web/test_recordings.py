"""The media of recordings, as players and applications fetch it."""

import datetime
import secrets

import pytest
import trio

from offhook.store.recordings import media_path
from offhook.store.records import RecordingRecord
from offhook.store.sids import Kind, make
from tests.web.website import ACCOUNT, TOKEN, Site, basic

pytestmark = pytest.mark.wire

ME = basic(ACCOUNT, TOKEN)
SOUND = b"RIFF" + secrets.token_bytes(1000)


def recorded(site: Site, *, finished: bool = True) -> str:
    sid = make(Kind.RECORDING)
    site.files.draft(sid).write_bytes(SOUND)
    if finished:
        site.files.finish(sid)
    return sid


async def put_row(site: Site, sid: str, status: str) -> None:
    row = RecordingRecord(
        sid=sid,
        account_sid=ACCOUNT,
        call_sid=make(Kind.CALL),
        status=status,
        created_at=datetime.datetime.now(datetime.UTC),
    )
    await site.repository.write([row])


@pytest.mark.parametrize(
    ("suffix", "kind", "content"),
    [("", "audio/x-wav", SOUND), (".wav", "audio/x-wav", SOUND), (".mp3", "audio/mpeg", b"MP3 of " + SOUND)],
)
async def test_each_suffix_gives_its_kind_of_file(site: Site, suffix: str, kind: str, content: bytes) -> None:
    url = media_path(ACCOUNT, recorded(site)) + suffix
    async with site.serving() as client:
        answer = await client.get(url, headers=ME)
        head = await client.head(url, headers=ME)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.content == content
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(content))


async def test_a_player_may_ask_for_a_part(site: Site) -> None:
    url = media_path(ACCOUNT, recorded(site))
    async with site.serving() as client:
        part = await client.get(url, headers={**ME, "Range": "bytes=10-19"})
        beyond = await client.get(url, headers={**ME, "Range": "bytes=5000-"})
    assert part.status_code == 206
    assert part.content == SOUND[10:20]
    assert part.headers["content-range"] == f"bytes 10-19/{len(SOUND)}"
    assert beyond.status_code == 416


async def test_media_always_asks_for_the_account_even_on_loopback(site: Site) -> None:
    sid = recorded(site)
    async with site.serving() as client:
        without = await client.get(media_path(ACCOUNT, sid))
        wrong = await client.get(media_path(ACCOUNT, sid), headers=basic(ACCOUNT, "guess"))
        foreign = await client.get(media_path("AC" + "b" * 32, sid), headers=ME)
        missing = await client.get(media_path(ACCOUNT, make(Kind.RECORDING)))
    assert (without.status_code, without.json()["code"]) == (401, 20003)
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Authenticate")
    assert (foreign.status_code, foreign.json()["code"]) == (404, 20404)
    assert missing.status_code == 401  # what is there is not told to strangers


@pytest.mark.parametrize(
    "name", ["x", "..%2F..%2Fetc%2Fpasswd", "RE" + "0" * 32, "RE" + "0" * 32 + ".ogg", "CA" + "0" * 32, "%00"]
)
async def test_what_is_no_recording_is_not_found(site: Site, name: str) -> None:
    async with site.serving() as client:
        answer = await client.get(media_path(ACCOUNT, name), headers=ME)
    assert answer.status_code == 404
    assert answer.json()["code"] == 20404


async def test_an_unfinished_recording_has_no_media(site: Site) -> None:
    unfinished, absent, done = recorded(site, finished=False), recorded(site), recorded(site)
    await put_row(site, absent, "absent")
    await put_row(site, done, "completed")
    async with site.serving() as client:
        assert (await client.get(media_path(ACCOUNT, unfinished), headers=ME)).status_code == 404
        assert (await client.get(media_path(ACCOUNT, absent), headers=ME)).status_code == 404
        assert (await client.get(media_path(ACCOUNT, done), headers=ME)).status_code == 200


async def test_an_mp3_is_made_once_however_many_ask(site: Site) -> None:
    url = media_path(ACCOUNT, recorded(site)) + ".mp3"
    async with site.serving() as client:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(lambda: client.get(url, headers=ME))
        assert (await client.get(url, headers=ME)).status_code == 200
    assert len(site.encoded) == 1
    assert not [path for path in site.files.root.rglob("*") if ".part" in path.name]


@pytest.mark.parametrize(
    ("channels", "status", "code"), [("1", 200, None), ("2", 400, 16113), ("3", 400, 20422), ("", 400, 20422)]
)
async def test_two_channels_of_a_mono_recording_are_refused(
    site: Site, channels: str, status: int, code: int | None
) -> None:
    url = media_path(ACCOUNT, recorded(site))
    async with site.serving() as client:
        answer = await client.get(url, params={"RequestedChannels": channels}, headers=ME)
    assert answer.status_code == status
    if code is not None:
        assert answer.json()["code"] == code

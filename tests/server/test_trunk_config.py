"""`[[trunk]]` and `[[number]]`: what they are read as, and everything that can be wrong with them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path

import pytest

from offhook.server.cli import secrets_of, summary
from offhook.server.config import Config, SipSettings
from offhook.server.load import load
from offhook.server.problems import ConfigError
from offhook.server.seed import house_of, number_directory, registered_trunks, trunks_of
from offhook.server.trunk_config import InboundSettings, NumberSettings, TrunkSettings
from offhook.server.values import Wrong
from offhook.sip.trunks import NoRoute, Route
from offhook.sip.uri import Uri

MINIMAL = '[sip]\ndomain_suffix = "sip.example.test"\n'
FULL = """
[[trunk]]
name = "main"
uris = ["sip:gw1.example.com;transport=tcp", "sip:192.0.2.7:5070"]
username = "line1@carrier.example"
password = "hush"
register = true
prefixes = ["+1", "+44"]
caller_id = "+15550100"
max_calls = 30
calls_per_s = 0.5
inbound = { networks = ["203.0.113.0/28"], voice_url = "http://app.example.com/calls", voice_method = "get" }
emergency = true

[[trunk]]
name = "spare"
uris = ["sip:gw.other.example"]
prefixes = ["+1"]

[trunk.inbound]
networks = ["198.51.100.1"]

[[number]]
number = "+15550100"

[[number]]
number = "+15550101"
voice_url = "http://app.example.com/support"
voice_fallback_url = "http://app.example.com/fallback"
status_callback_url = "http://app.example.com/status"
"""


async def answer(params: Mapping[str, str]) -> str:
    return "<Response/>"


def given(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "offhook.toml"
    path.write_text(MINIMAL + text)
    return load(path, {})


def problems(tmp_path: Path, text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        given(tmp_path, text)
    return {problem.path: problem.text for problem in caught.value.problems}


def test_every_key_is_read(tmp_path: Path) -> None:
    config = given(tmp_path, FULL)
    main, spare = config.trunks
    assert main.uris == (Uri.parse("sip:gw1.example.com;transport=tcp"), Uri.parse("sip:192.0.2.7:5070"))
    assert (main.username, main.password, main.register) == ("line1@carrier.example", "hush", True)
    assert (main.prefixes, main.caller_id) == (("+1", "+44"), "+15550100")
    assert (main.max_calls, main.calls_per_s, main.emergency) == (30, 0.5, True)
    assert main.inbound is not None
    assert main.inbound.networks == (ipaddress.ip_network("203.0.113.0/28"),)
    assert (main.inbound.voice_url, main.inbound.voice_method) == ("http://app.example.com/calls", "GET")
    assert spare.inbound == InboundSettings(networks=("198.51.100.1",))
    assert [each.number for each in config.numbers] == ["+15550100", "+15550101"]
    assert config.numbers[1].voice_fallback_url == "http://app.example.com/fallback"


def test_a_trunk_takes_nothing_and_brings_nothing_by_default(tmp_path: Path) -> None:
    [trunk] = given(tmp_path, '[[trunk]]\nname = "main"\nuris = ["sip:gw.example.com"]').trunks
    assert trunk == TrunkSettings(name="main", uris=("sip:gw.example.com",))
    assert (trunk.prefixes, trunk.inbound, trunk.register, trunk.emergency) == ((), None, False, False)
    assert (trunk.username, trunk.password, trunk.caller_id, trunk.max_calls, trunk.calls_per_s) == (None,) * 5


def trunk(line: str, uris: str = '["sip:gw.example.com"]') -> str:
    return f'[[trunk]]\nname = "a"\nuris = {uris}\n{line}\n'


WRONG = [
    ('[[trunk]]\nuris = ["sip:a"]', "trunk[1].name", "is required"),
    ('[[trunk]]\nname = "a b"\nuris = ["sip:a"]', "trunk[1].name", "a short name of letters"),
    ('[[trunk]]\nname = "a"', "trunk[1].uris", "is required"),
    (trunk("", "[]"), "trunk[1].uris", "at least one SIP URI"),
    (trunk("", '"sip:a"'), "trunk[1].uris", "in brackets, e.g. ['sip:a']"),
    (trunk("", '["gw.example.com"]'), "trunk[1].uris", 'a gateway such as "sip:gw1.example.com"'),
    (trunk("", '["tel:+15550100"]'), "trunk[1].uris", "a gateway such as"),
    (trunk("", '["sip:user@gw"]'), "trunk[1].uris", "the user goes into the key username"),
    (trunk("", '["sip:gw?X-A=1"]'), "trunk[1].uris", "no headers"),
    (trunk("", '["sip:gw;lr"]'), "trunk[1].uris", "lr is no parameter"),
    (trunk("", '["sips:gw;transport=udp"]'), "trunk[1].uris", "sips goes over TLS only"),
    (trunk("", '["sip:gw;transport=sctp"]'), "trunk[1].uris", "its transport may be udp, tcp or tls"),
    (trunk("client_key = 'a.key'", '["sip:gw;transport=tls"]'), "trunk[1].client_certificate", "given together with"),
    (trunk("client_certificate = 'a.pem'", '["sips:gw"]'), "trunk[1].client_key", "given together with"),
    (trunk("verify_certificate = false"), "trunk[1].verify_certificate", "none of its uris"),
    (trunk("ca_file = 'ca.pem'"), "trunk[1].ca_file", "none of its uris"),
    (
        trunk("", '["sips:gw"]') + '[[trunk]]\nname = "b"\nuris = ["sips:GW"]\nverify_certificate = false\n',
        "trunk[2].uris",
        "other settings of TLS",
    ),
    (trunk("", '["sip:gw:0"]'), "trunk[1].uris", "a gateway such as"),
    (trunk("", "[5060]"), "trunk[1].uris", "5060 should be a gateway such as"),
    (trunk("uri = 'sip:gw'"), "trunk[1].uri", 'did you mean "uris"'),
    (trunk("user = 'x'"), "trunk[1].user", 'did you mean "username"'),
    (trunk("username = 100\npassword = 'x'"), "trunk[1].username", "100 should be a user name in quotes"),
    (trunk("username = 'x'\npassword = 100"), "trunk[1].password", "should be a text in quotes"),
    (trunk("voice_url = 'http://a/'"), "trunk[1].voice_url", "belongs into inbound = { … } of a [[trunk]]"),
    ("[inbound]\nnetworks = []", "inbound", "write inbound = { … } of a [[trunk]]"),
    (trunk("registration = true"), "trunk[1].registration", "no such key"),
    (trunk("prefixes = '+1'"), "trunk[1].prefixes", "in brackets, e.g. ['+1']"),
    (trunk("prefixes = ['0044']"), "trunk[1].prefixes", "the beginning of numbers in E.164"),
    (trunk("prefixes = ['+1 555']"), "trunk[1].prefixes", "the beginning of numbers in E.164"),
    (trunk("", '["sip:gw", "sip:GW"]'), "trunk[1].uris", "only once"),
    (trunk("username = 'x'"), "trunk[1].password", "together with username"),
    (trunk("password = 'x'"), "trunk[1].username", "together with password"),
    (trunk("username = 'a b'\npassword = 'x'"), "trunk[1].username", "without blanks"),
    (trunk("register = true"), "trunk[1].username", "where register = true"),
    (trunk("register = 'yes'"), "trunk[1].register", "true or false"),
    (trunk("prefixes = ['44']"), "trunk[1].prefixes", 'such as "+44"'),
    (trunk("prefixes = ['+0']"), "trunk[1].prefixes", 'such as "+44"'),
    (trunk("prefixes = ['+1', '+1']"), "trunk[1].prefixes", "only once"),
    (trunk("prefix = ['+1']"), "trunk[1].prefix", 'did you mean "prefixes"'),
    (trunk("caller_id = '555-0100'"), "trunk[1].caller_id", "in E.164"),
    (trunk("max_calls = 0"), "trunk[1].max_calls", "1 or more"),
    (trunk("max_calls = true"), "trunk[1].max_calls", "1 or more"),
    (trunk("max_calls = 1.5"), "trunk[1].max_calls", "1 or more"),
    (trunk("calls_per_s = 0"), "trunk[1].calls_per_s", "above 0"),
    (trunk("calls_per_s = inf"), "trunk[1].calls_per_s", "above 0"),
    (trunk("inbound = 'x'"), "trunk[1].inbound", "a table of keys and values"),
    (trunk("inbound = {}"), "trunk[1].inbound.networks", "is required"),
    (trunk("inbound = { networks = [] }"), "trunk[1].inbound.networks", "at least one network"),
    (trunk("inbound = { networks = ['x'] }"), "trunk[1].inbound.networks", "a network such as"),
    (trunk("inbound = { networks = ['::1'], voice_ulr = 'http://a/' }"), "trunk[1].inbound.voice_ulr", "voice_url"),
    (trunk("inbound = { networks = ['::1'], voice_url = 'a' }"), "trunk[1].inbound.voice_url", "an absolute URL"),
    (trunk("networks = ['::1']"), "trunk[1].networks", "belongs into inbound = { … } of a [[trunk]]"),
    (trunk("emergency = 1"), "trunk[1].emergency", "true or false"),
    (trunk("") + trunk(""), "trunk[2].name", '"a" should be unique: trunk[1] has it too'),
    (
        trunk("inbound = { networks = ['::1'] }") + trunk("inbound = { networks = ['::1/128'] }").replace('"a"', '"b"'),
        "trunk[2].inbound.networks",
        "trunk[1] has it too",
    ),
    ("[trunk]\nname = 'a'", "trunk", "write [[trunk]], with two brackets"),
    ("[[number]]", "number[1].number", "is required"),
    ("[[number]]\nnumber = 15550100", "number[1].number", 'in E.164 such as "+15550100", in quotes'),
    ("[[number]]\nnumber = '+1 555 0100'", "number[1].number", "without blanks"),
    ("[[number]]\nnumber = '+15550100'\n[[number]]\nnumber = '+15550100'", "number[2].number", "number[1] has it too"),
    ("[[number]]\nnumber = '+15550100'\nvoice_url = 'x'", "number[1].voice_url", "an absolute URL"),
    ("[[number]]\nnumber = '+15550100'\nvoice_uri = 'x'", "number[1].voice_uri", 'did you mean "voice_url"'),
    ("[[trunks]]\nname = 'a'", "trunks", 'did you mean "trunk"'),
    ("[[numbers]]\nnumber = 'a'", "numbers", 'did you mean "number"'),
]


@pytest.mark.parametrize(("text", "path", "right"), WRONG, ids=[f"{path}-{right[:20]}" for _, path, right in WRONG])
def test_what_is_wrong_is_named_with_its_path_and_what_would_be_right(
    tmp_path: Path, text: str, path: str, right: str
) -> None:
    found = problems(tmp_path, text)
    assert list(found) == [path]
    assert right in found[path]


def test_a_password_is_never_repeated(tmp_path: Path) -> None:
    assert "hush" not in str(problems(tmp_path, trunk("username = 'a'\npassword = 'hush\\u0007'".replace("'", '"'))))
    assert "hush" not in str(problems(tmp_path, trunk("", '["sip:ann:hush@gw"]')))
    config = given(tmp_path, FULL)
    assert "hush" not in repr(config)
    assert "hush" not in "\n".join(summary(config))
    assert secrets_of(config) == ["hush"]


def test_built_in_code_the_same_is_checked_and_functions_may_stand_in() -> None:
    sip = SipSettings(domain_suffix="sip.test")
    made = Config(sip=sip, numbers=(NumberSettings(number="+15550100", voice_url=answer),))
    application = number_directory(made).application("+15550100", "any")
    assert application is not None
    assert application.voice_url is answer
    with pytest.raises(ConfigError, match=r"trunk\[2\]\.name"):
        Config(sip=sip, trunks=(TrunkSettings(name="a", uris=("sip:a",)), TrunkSettings(name="a", uris=("sip:b",))))
    with pytest.raises(Wrong, match="InboundSettings"):
        TrunkSettings(name="a", uris=("sip:a",), inbound={"networks": []})


def test_the_summary_says_what_a_trunk_does(tmp_path: Path) -> None:
    lines = summary(given(tmp_path, FULL))
    assert (
        "trunk main: sip:gw1.example.com;transport=tcp, then sip:192.0.2.7:5070; dials +1, +44; takes emergency calls; "
        "registers; at most 30 calls; at most 0.5 calls a second; brings calls from 203.0.113.0/28 to "
        "http://app.example.com/calls"
    ) in lines
    assert (
        "trunk spare: sip:gw.other.example; dials +1; "
        "brings calls from 198.51.100.1/32 to numbers with a voice_url only"
    ) in lines
    assert "number +15550100: verified, answered by nobody" in lines
    assert "number +15550101: http://app.example.com/support" in lines
    [nothing] = [line for line in summary(given(tmp_path, trunk(""))) if line.startswith("trunk")]
    assert nothing == "trunk a: sip:gw.example.com; dials nothing: it has no prefixes"
    [nameless] = [line for line in summary(given(tmp_path, trunk("emergency = true"))) if line.startswith("trunk")]
    assert nameless.endswith("takes emergency calls (no caller_id: only of users who are numbers of ours)")


def test_the_cores_get_what_the_file_says(tmp_path: Path) -> None:
    config = given(tmp_path, FULL)
    trunks, numbers = trunks_of(config), number_directory(config)
    route = trunks.route("+442079460000", 0.0)
    assert isinstance(route, Route)
    assert (route.trunk.name, route.gateways) == ("main", config.trunks[0].uris)
    assert isinstance(trunks.route("+33123456789", 0.0), NoRoute)
    source = trunks.source("203.0.113.5")
    assert source is not None
    assert source.name == "main"
    assert trunks.source("192.0.2.7") is None
    assert [each.name for each in registered_trunks(config)] == ["main"]
    house = house_of(config, trunks, numbers)
    assert "+15550101" in house.numbers
    facts = house.trunk_of("911")
    assert facts is not None
    assert facts.caller_id == "+15550100"
    by_trunk = numbers.application("+15550100", "main")
    assert by_trunk is not None
    assert by_trunk.voice_method == "GET"
    assert numbers.application("+15550100", "spare") is None
    own = numbers.application("+15550101", "spare")
    assert own is not None
    assert own.status_callback_url == "http://app.example.com/status"

"""The file and the environment to a Config, and everything that can be wrong with them."""

import ipaddress
from pathlib import Path

import pytest

from offhook.server.config import Config
from offhook.server.load import load
from offhook.server.problems import ConfigError

MINIMAL = '[sip]\ndomain_suffix = "sip.example.test"\n'


def given(tmp_path: Path, text: str, **environ: str) -> Config:
    path = tmp_path / "offhook.toml"
    path.write_text(text)
    return load(path, environ)


def problems(tmp_path: Path, text: str, **environ: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        given(tmp_path, text, **environ)
    return {problem.path: problem.text for problem in caught.value.problems}


def test_everything_but_the_suffix_has_the_documented_default(tmp_path: Path) -> None:
    config = given(tmp_path, MINIMAL)
    assert config.server.data_dir == tmp_path / "offhook-data"
    assert config.server.advertised_address is None
    assert config.server.drain_s == 300
    assert (config.account.sid, config.account.auth_token) == ("", "")
    assert config.sip.regions == ()
    assert config.sip.default_domain == ""
    assert config.sip.udp == config.sip.tcp == (("0.0.0.0", 5060),)
    assert config.sip.tls == (("0.0.0.0", 5061),)
    assert config.sip.auth_realm == "sip.example.test"
    assert config.sip.digest_algorithms == ("MD5",)
    assert (config.sip.registration_min_s, config.sip.registration_max_s) == (600, 3600)
    assert config.sip.header_prefix == "X-Twilio-"
    assert config.sip.server_header.startswith("offhook/")
    assert config.media.rtp_ports == (20000, 29999)
    assert config.media.timeout_s == 60
    assert config.http.bind == ("127.0.0.1", 8080)
    assert config.http.base_url(("127.0.0.1", 8080)) == "http://127.0.0.1:8080"
    assert config.webhooks.allowed_networks == ()
    assert config.webhooks.ca_file is None
    assert [str(network) for network in config.dial.allowed_networks] == ["0.0.0.0/0", "::/0"]
    assert config.domains == ()


def test_a_domain_has_the_documented_defaults(tmp_path: Path) -> None:
    text = MINIMAL + '[[domain]]\nname = "Acme"\n[[domain.credential]]\nusername = "alice"\npassword = "pw"\n'
    (domain,) = given(tmp_path, text).domains
    assert domain.name == "acme"
    assert domain.voice_url is None
    assert (domain.voice_method, domain.voice_fallback_method, domain.status_callback_method) == ("POST",) * 3
    assert (domain.secure, domain.sip_registration, domain.ip_access_control) == (False, False, ())
    assert (domain.credentials[0].calls, domain.credentials[0].registrations) == (True, True)


def test_relative_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    text = MINIMAL + '[server]\ndata_dir = "var"\n[webhooks]\nca_file = "ca.pem"\n'
    config = given(tmp_path, text)
    assert config.server.data_dir == tmp_path / "var"
    assert config.webhooks.ca_file == tmp_path / "ca.pem"


def test_absolute_paths_stay(tmp_path: Path) -> None:
    assert given(tmp_path, MINIMAL + '[server]\ndata_dir = "/srv/offhook"\n').server.data_dir == Path("/srv/offhook")


def test_values_of_every_kind_are_read(tmp_path: Path) -> None:
    config = given(
        tmp_path,
        """
        [server]
        advertised_address = "203.0.113.9"
        drain_s = 1.5
        [sip]
        domain_suffix = "SIP.Example.Test."
        regions = ["IE1"]
        default_domain = "acme"
        udp = ["127.0.0.1:0", "[::1]:5070", "127.0.0.1:0"]
        tcp = []
        digest_algorithms = ["md5", "SHA-256"]
        realm = "pbx"
        [media]
        rtp_ports = "30000-30099"
        [http]
        bind = "0.0.0.0:0"
        public_url = "https://voice.example.test/base/"
        [webhooks]
        allowed_networks = ["127.0.0.0/8", "10.1.2.3", "fd00::/8"]
        [[domain]]
        name = "acme"
        voice_url = "http://user:pass@127.0.0.1:9000/voice?a=b#rc=2"
        voice_method = "get"
        ip_access_control = ["127.0.0.0/8"]
        """,
    )
    assert config.server.drain_s == 1.5
    assert config.sip.domain_suffix == "sip.example.test"
    assert config.sip.regions == ("ie1",)
    assert config.sip.udp == (("127.0.0.1", 0), ("::1", 5070), ("127.0.0.1", 0))
    assert config.sip.tcp == ()
    assert config.sip.digest_algorithms == ("MD5", "SHA-256")
    assert config.sip.auth_realm == "pbx"
    assert config.media.rtp_ports == (30000, 30099)
    assert config.http.exposed
    assert config.http.base_url(("0.0.0.0", 4711)) == "https://voice.example.test/base"
    assert config.webhooks.allowed_networks[1] == ipaddress.ip_network("10.1.2.3/32")
    assert config.domains[0].voice_url == "http://user:pass@127.0.0.1:9000/voice?a=b#rc=2"
    assert config.domains[0].voice_method == "GET"


def credential(lines: str) -> str:
    return f"[[domain]]\nname = 'a'\n[[domain.credential]]\n{lines}"


WRONG = [
    ("[server]\ndata_dri = 1", "server.data_dri", 'did you mean "data_dir"'),
    ("[server]\ndata_dir = 1", "server.data_dir", "a path"),
    ("[server]\nadvertised_address = 'pbx.test'", "server.advertised_address", "a numeric IP address"),
    ("[server]\nadvertised_address = '0.0.0.0'", "server.advertised_address", "not the wildcard"),
    ("[server]\ndrain_s = -1", "server.drain_s", "0 or more"),
    ("[server]\ndrain_s = true", "server.drain_s", "a number of seconds"),
    ("[server]\ndrain_s = inf", "server.drain_s", "a number of seconds"),
    ("[server]\nbind = 'x'", "server.bind", "belongs into [http]"),
    ("[server]\nvoice_url = 'x'", "server.voice_url", "belongs into [[domain]]"),
    ("[server]\nzzz = 1", "server.zzz", "there are: data_dir, advertised_address, drain_s"),
    ("[account]\nsid = 'AC1'", "account.sid", "32 hexadecimal digits"),
    ("[account]\nsid = 'AC00000000000000000000000000000000'", "account.auth_token", "together with account.sid"),
    ("[account]\nauth_token = 'x'", "account.sid", "together with account.auth_token"),
    ("[media]\nrtp_ports = 20000", "media.rtp_ports", '"20000-29999"'),
    ("[media]\nrtp_ports = '30000-20000'", "media.rtp_ports", "a range"),
    ("[media]\nrtp_ports = '20000-20000'", "media.rtp_ports", "at least two"),
    ("[media]\nrtp_ports = '10-70000'", "media.rtp_ports", "from 1024 to 65535"),
    ("[media]\ntimeout_s = 0", "media.timeout_s", "above 0"),
    ("[media]\ntimeout_s = inf", "media.timeout_s", "a number of seconds"),
    ("[media]\ntimeout_s = '60'", "media.timeout_s", "a number of seconds"),
    ("[http]\nbind = 8080", "http.bind", "with a port"),
    ("[http]\nbind = '::1:8080'", "http.bind", '"[::1]:5060"'),
    ("[http]\nbind = '[127.0.0.1]:80'", "http.bind", "with a port"),
    ("[http]\nbind = '127.0.0.1:65536'", "http.bind", "with a port"),
    ("[http]\npublic_url = 'voice.example.test'", "http.public_url", "an absolute URL"),
    ("[http]\npublic_url = 'http://a/?x=1'", "http.public_url", "without credentials, query and fragment"),
    ("[webhooks]\nallowed_networks = '10.0.0.0/8'", "webhooks.allowed_networks", "in brackets"),
    ("[webhooks]\nallowed_networks = ['10.1.0.0/8']", "webhooks.allowed_networks", '"10.0.0.0/8"'),
    ("[webhooks]\nallowed_networks = ['a']", "webhooks.allowed_networks", "a network such as"),
    ("[webhooks]\nallowed_networks = ['::1', '::1/128']", "webhooks.allowed_networks", "only once"),
    ("[webhook]\nca_file = ''", "webhook", 'did you mean "webhooks"'),
    ("[dial]\nallowed_networks = [1]", "dial.allowed_networks", "a network such as"),
    ("[domain]\nname = 'acme'", "domain", "[[domain]]"),
    ("[[domain]]\nvoice_url = ''", "domain[1].name", "is required"),
    ("[[domain]]\nname = 'a_b'", "domain[1].name", "letters, digits and hyphens"),
    ("[[domain]]\nname = ''", "domain[1].name", "letters, digits and hyphens"),
    ("[[domain]]\nname = 'a'\nvoice_url = 'ftp://h/x'", "domain[1].voice_url", "an absolute URL"),
    ("[[domain]]\nname = 'a'\nvoice_url = 'http://my_host/x'", "domain[1].voice_url", "no underscore"),
    ("[[domain]]\nname = 'a'\nvoice_url = 'http://h:x/'", "domain[1].voice_url", "an absolute URL"),
    ("[[domain]]\nname = 'a'\nvoice_method = 'PUT'", "domain[1].voice_method", '"GET" or "POST"'),
    ("[[domain]]\nname = 'a'\nsecure = 'yes'", "domain[1].secure", "true or false"),
    ("[[domain]]\nname = 'a'\ncredential = 1", "domain[1].credential", "two brackets"),
    ("[[domain]]\nname = 'a'\n[[domain]]\nname = 'A'", "domain[2].name", "domain[1] has it too"),
    (
        "[[domain]]\nname = 'a'\n[[domain.credential]]\nusername = 'x'",
        "domain[1].credential[1].password",
        "is required",
    ),
    (
        "[[domain]]\nname = 'a'\n[[domain.credential]]\nusername = 'x:y'\npassword = 'p'",
        "domain[1].credential[1].username",
        "without blanks",
    ),
    (
        "[[domain]]\nname = 'a'\n[[domain.credential]]\nusername = 'x'\npassword = 'p'\n"
        "[[domain.credential]]\nusername = 'x'\npassword = 'q'",
        "domain[1].credential[2].username",
        "unique in its domain",
    ),
    (credential("username = 100\npassword = 'p'"), "domain[1].credential[1].username", "a user name in quotes"),
    (credential("username = 'x'\npassword = 100"), "domain[1].credential[1].password", "a text in quotes"),
    (credential("username = 'x'\npassword = ''"), "domain[1].credential[1].password", "not empty"),
    (credential("username = 'x@a'\npassword = 'p'"), "domain[1].credential[1].username", "without blanks"),
    (credential("username = 'x'\npassword = 'p'\ncalls = 'no'"), "domain[1].credential[1].calls", "true or false"),
    (
        credential("username = 'x'\npassword = 'p'\nregister = true"),
        "domain[1].credential[1].register",
        'did you mean "registrations"',
    ),
    ("[[domain]]\nname = 'a'\nregistration = true", "domain[1].registration", 'did you mean "sip_registration"'),
    ("[[domain]]\nname = 'a'\ncredentials = []", "domain[1].credentials", 'did you mean "credential"'),
    ("[[credential]]\nusername = 'x'", "credential", "write [[domain.credential]]"),
    ("drain_s = 1", "drain_s", "belongs into [server]"),
    ("[sips]\n", "sips", 'did you mean "sip"'),
]


@pytest.mark.parametrize(("text", "path", "right"), WRONG, ids=[path for _, path, _ in WRONG])
def test_what_is_wrong_is_named_with_its_path_and_what_would_be_right(
    tmp_path: Path, text: str, path: str, right: str
) -> None:
    # A bare key must stand before the first table.
    found = problems(tmp_path, f"{text}\n{MINIMAL}")
    assert list(found) == [path]
    assert right in found[path]


WRONG_SIP = [
    ('udp = "0.0.0.0:5060"', "sip.udp", "an array of addresses"),
    ('udp = ["127.0.0.1:5060", "127.0.0.1:5060"]', "sip.udp", "only once"),
    ('tcp = ["127.0.0.1:5061"]\ntls = ["127.0.0.1:5061"]', "sip.tls", "sip.tcp has the same"),
    ('tcp = ["127.0.0.1:8080"]', "http.bind", "sip.tcp has the same"),
    ('default_domain = "acme"', "sip.default_domain", "there is no [[domain]]"),
    ('regions = ["a.b"]', "sip.regions", "one label"),
    ('digest_algorithms = ["SHA-512"]', "sip.digest_algorithms", '"MD5" or "SHA-256"'),
    ("registration_min_s = 0", "sip.registration_min_s", "from 1 to 3600"),
    ("registration_min_s = true", "sip.registration_min_s", "a whole number of seconds"),
    ("registration_min_s = 90.5", "sip.registration_min_s", "a whole number of seconds"),
    ("registration_min_s = '60'", "sip.registration_min_s", "without quotes"),
    ("registration_max_s = 3601", "sip.registration_max_s", "from 1 to 3600"),
    ("registration_max_s = 60", "sip.registration_min_s", "at most sip.registration_max_s, which is 60"),
    ("registration_min = 60", "sip.registration_min", 'did you mean "registration_min_s"'),
    ("min_expires = 60", "sip.min_expires", "no such key; there are: "),
    ("digest_algorithms = []", "sip.digest_algorithms", "at least one"),
    ("realm = 'a\"b'", "sip.realm", "without quotes"),
    ('header_prefix = "X Y"', "sip.header_prefix", "the beginning of a header name"),
    ('server_header = "a\\r\\nb"', "sip.server_header", "without control characters"),
]


@pytest.mark.parametrize(("text", "path", "right"), WRONG_SIP)
def test_what_is_wrong_with_sip_is_named(tmp_path: Path, text: str, path: str, right: str) -> None:
    found = problems(tmp_path, MINIMAL + text)
    assert list(found) == [path]
    assert right in found[path]


def test_the_suffix_is_required(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == {"sip.domain_suffix": "is required"}


def test_a_default_domain_with_a_slip_gets_a_suggestion(tmp_path: Path) -> None:
    found = problems(tmp_path, MINIMAL + 'default_domain = "amce"\n[[domain]]\nname = "acme"\n')
    assert 'did you mean "acme"?' in found["sip.default_domain"]


def test_all_problems_are_told_at_once_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        given(tmp_path, '[sip]\ndomain_sufix = "x"\nudp = ["a", "b"]\n[http]\nbind = 1\n[[domain]]\nname = "-"\n')
    shown = str(caught.value).splitlines()
    assert len(shown) == 5
    assert all(line.startswith(f"{tmp_path}/offhook.toml: ") for line in shown)
    assert any("'a' should be" in line and "'b' should be" in line for line in shown)


def test_a_password_is_never_repeated(tmp_path: Path) -> None:
    text = MINIMAL + '[[domain]]\nname = "a"\n[[domain.credential]]\nusername = "x"\npassword = "hush\\u0007"\n'
    assert "hush" not in problems(tmp_path, text)["domain[1].credential[1].password"]
    config = given(tmp_path, text.replace("\\u0007", ""))
    assert "hush" not in repr(config)


def test_broken_toml_is_told_with_line_and_column(tmp_path: Path) -> None:
    assert "line 1, column" in problems(tmp_path, "[sip\n")[""]


def test_a_missing_file_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file; name one with --config"):
        load(tmp_path / "nowhere.toml", {})


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(tmp_path / "binary.toml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = given(
        tmp_path,
        MINIMAL + "[server]\ndrain_s = 1\n",
        OFFHOOK_SIP_DOMAIN_SUFFIX="other.test",
        OFFHOOK_SERVER_DRAIN_S="2.5",
        OFFHOOK_SIP_REGISTRATION_MIN_S="700",
        OFFHOOK_SIP_UDP="127.0.0.1:0, [::1]:0",
        OFFHOOK_SIP_TCP="",
        OFFHOOK_CONFIG="ignored",
        PATH="/bin",
    )
    assert config.sip.domain_suffix == "other.test"
    assert config.server.drain_s == 2.5
    assert config.sip.registration_min_s == 700
    assert config.sip.udp == (("127.0.0.1", 0), ("::1", 0))
    assert config.sip.tcp == ()


def test_a_wrong_variable_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        given(tmp_path, MINIMAL, OFFHOOK_HTTP_BIND="8080", OFFHOOK_HTTP_BINDD="x", OFFHOOK_SERVER_DRAIN_S="soon")
    shown = sorted(map(str, caught.value.problems))
    assert len(shown) == 3
    assert shown[0].startswith("OFFHOOK_HTTP_BIND: http.bind: ")
    assert shown[1] == 'OFFHOOK_HTTP_BINDD: no such setting; did you mean "OFFHOOK_HTTP_BIND"?'
    assert shown[2].startswith("OFFHOOK_SERVER_DRAIN_S: server.drain_s: 'soon' should be")

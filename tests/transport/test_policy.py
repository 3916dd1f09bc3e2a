"""Which addresses may be sent to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.transport.errors import AddressNotAllowed
from offhook.transport.policy import EVERYWHERE, check_allowed, is_allowed, parse_networks


@pytest.mark.parametrize(
    ("host", "networks", "allowed"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("127.0.0.1", [], False),
        ("::ffff:127.0.0.1", ["127.0.0.0/8"], True),
        ("::ffff:127.0.0.1", ["::/0"], False),
        ("64:ff9b::7f00:1", ["::/0"], False),
        ("2002:7f00:1::", ["::/0"], False),
        ("[2001:db8::1]", ["2001:db8::/32"], True),
        ("fe80::1%2", ["fe80::/10"], True),
        ("example.com", ["0.0.0.0/0"], False),
        ("192.0.2.1", ["192.0.2.1"], True),
    ],
)
def test_an_address_is_allowed_by_the_network_it_ends_up_in(host: str, networks: list[str], allowed: bool) -> None:
    assert is_allowed(host, parse_networks(networks)) is allowed


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "224.0.1.75", "ff02::1", "255.255.255.255", "::ffff:0.0.0.0"])
def test_what_is_no_single_host_is_never_allowed(host: str) -> None:
    assert not is_allowed(host, EVERYWHERE)
    with pytest.raises(AddressNotAllowed, match="outside the allowed networks"):
        check_allowed(host, EVERYWHERE)


@settings(max_examples=100)
@given(st.one_of(st.text(max_size=30), st.ip_addresses().map(str)))
def test_no_text_raises(host: str) -> None:
    assert is_allowed(host, EVERYWHERE) in (True, False)


def test_a_network_with_host_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        parse_networks(["10.0.0.1/8"])

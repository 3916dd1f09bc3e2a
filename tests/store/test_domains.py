import pytest

from offhook.store.domains import DomainDirectory, DomainNames
from offhook.store.records import DomainRecord


def domain(name: str) -> DomainRecord:
    return DomainRecord(sid=f"SD{name}", account_sid="AC", name=name, full_name=f"{name}.sip.example.test")


def directory(*names: str, regions: frozenset[str] = frozenset(), default: str = "") -> DomainDirectory:
    return DomainDirectory.of(DomainNames("sip.example.test", regions), map(domain, names), default)


def found(where: DomainDirectory, host: str) -> str | None:
    record = where.find(host)
    return record.name if record is not None else None


@pytest.mark.parametrize(
    "host",
    [
        "acme.sip.example.test",
        "ACME.Sip.Example.TEST",
        "acme.sip.example.test.",
        "acme.sip.us1.example.test",
        "acme.sip.dublin.example.test",
        "acme.sip.dublin-ix.example.test",
    ],
)
def test_every_form_of_the_name_is_the_same_domain(host: str) -> None:
    assert found(directory("acme", "other"), host) == "acme"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "acme",
        "sip.example.test",
        "sip.us1.example.test",
        ".sip.example.test",
        "acme..sip.example.test",
        "acme.example.test",
        "acme.sip.a.b.example.test",
        "acme.sip.example.test.evil",
        "xacme.sip.example.test",
        "acmesip.example.test",
        "192.0.2.1",
        "[2001:db8::1]",
    ],
)
def test_other_hosts_are_no_domain(host: str) -> None:
    assert found(directory("acme"), host) is None


def test_only_the_listed_regions_are_accepted_when_there_is_a_list() -> None:
    where = directory("acme", regions=frozenset({"ie1", "dublin"}))
    assert found(where, "acme.sip.ie1.example.test") == "acme"
    assert found(where, "acme.sip.dublin-ix.example.test") == "acme"
    assert found(where, "acme.sip.us1.example.test") is None


def test_a_name_of_several_labels_is_a_domain_of_its_own() -> None:
    where = directory("acme", "foo.acme")
    assert found(where, "foo.acme.sip.example.test") == "foo.acme"
    assert found(where, "foo.acme.sip.us1.example.test") == "foo.acme"
    assert found(where, "bar.acme.sip.example.test") is None


def test_the_default_domain_takes_addresses_and_unknown_hosts() -> None:
    where = directory("acme", "demo", default="demo")
    assert found(where, "127.0.0.1") == "demo"
    assert found(where, "elsewhere.test") == "demo"
    assert found(where, "acme.sip.example.test") == "acme"


def test_a_suffix_of_one_label_has_no_regional_form() -> None:
    names = DomainNames("test")
    assert names.candidates("acme.test") == ["acme"]
    assert names.candidates("acme.test.us1") == []


def test_domains_can_be_put_and_removed() -> None:
    where = directory("acme")
    where.put(domain("late"))
    assert [record.name for record in where] == ["acme", "late"]
    where.remove("acme")
    where.remove("acme")
    assert len(where) == 1
    assert found(where, "acme.sip.example.test") is None

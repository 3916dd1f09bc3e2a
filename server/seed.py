"""From the configuration to what the tree works with: domains (with lasting SIDs), numbers, trunks."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Final

from ..actors.captures import CaptureRules
from ..actors.dialling import trunk_facts
from ..sip.trunks import Trunk, Trunks
from ..store.domains import DomainDirectory
from ..store.numbers import NumberDirectory
from ..store.records import Application, CredentialRecord, DomainRecord
from ..store.sids import Kind, derive
from ..twiml.dial_house import House
from ..twiml.platform_names import OwnDomain, PlatformNames
from ..twiml.redirection import RedirectRules
from .config import Config, CredentialSettings, DomainSettings
from .trunk_config import InboundSettings, NumberSettings, TrunkSettings

MEGABYTE: Final = 1_000_000


def domain_directory(config: Config, account_sid: str) -> DomainDirectory:
    """The directory the switchboard looks domains up in."""
    records = (domain_record(config, domain, account_sid) for domain in config.domains)
    return DomainDirectory.of(config.sip.names, records, config.sip.default_domain)


def domain_record(config: Config, domain: DomainSettings, account_sid: str) -> DomainRecord:
    sid = derive(Kind.DOMAIN, account_sid, domain.name)
    return DomainRecord(
        sid=sid,
        account_sid=account_sid,
        name=domain.name,
        full_name=config.sip.names.full(domain.name),
        voice_url=domain.voice_url,
        voice_method=domain.voice_method,
        voice_fallback_url=domain.voice_fallback_url,
        voice_fallback_method=domain.voice_fallback_method,
        status_callback_url=domain.status_callback_url,
        status_callback_method=domain.status_callback_method,
        secure=domain.secure,
        sip_registration=domain.sip_registration,
        ip_access_control=domain.ip_access_control,
        credentials=tuple(credential_record(sid, credential) for credential in domain.credentials),
    )


def credential_record(domain_sid: str, credential: CredentialSettings) -> CredentialRecord:
    return CredentialRecord(
        sid=derive(Kind.CREDENTIAL, domain_sid, credential.username),
        username=credential.username,
        password=credential.password,
        calls=credential.calls,
        registrations=credential.registrations,
    )


def names_of(config: Config) -> PlatformNames:
    """Which addresses are ours, for who dials them."""
    return PlatformNames(
        suffix=config.sip.domain_suffix,
        places=frozenset(config.sip.regions),
        domains={each.name: OwnDomain(registrations=each.sip_registration) for each in config.domains},
        default_domain=config.sip.default_domain,
    )


def trunk_core(settings: TrunkSettings) -> Trunk:
    """A trunk as calls see it."""
    return Trunk(
        name=settings.name,
        uris=settings.uris,
        prefixes=settings.prefixes,
        max_calls=settings.max_calls,
        calls_per_s=settings.calls_per_s,
        caller_id=settings.caller_id,
        username=settings.username,
        password=settings.password,
        emergency=settings.emergency,
        networks=settings.inbound.networks if settings.inbound is not None else (),
    )


def trunks_of(config: Config) -> Trunks:
    """The trunks of a server, none of which has a call yet."""
    return Trunks.of(trunk_core(each) for each in config.trunks)


def registered_trunks(config: Config) -> tuple[Trunk, ...]:
    """Those with whose gateways we register."""
    return tuple(trunk_core(each) for each in config.trunks if each.register)


def number_directory(config: Config) -> NumberDirectory:
    """Our numbers, and who answers the calls that trunks bring."""
    by_trunk = {
        trunk.name: application
        for trunk in config.trunks
        if trunk.inbound is not None and (application := application_of(trunk.inbound)) is not None
    }
    return NumberDirectory.of({each.number: application_of(each) for each in config.numbers}, by_trunk)


def application_of(settings: NumberSettings | InboundSettings) -> Application | None:
    """None when nobody is named who would answer."""
    if settings.voice_url is None:
        return None
    return Application(
        voice_url=settings.voice_url,
        voice_method=settings.voice_method,
        voice_fallback_url=settings.voice_fallback_url,
        voice_fallback_method=settings.voice_fallback_method,
        status_callback_url=settings.status_callback_url,
        status_callback_method=settings.status_callback_method,
    )


def house_of(config: Config, trunks: Trunks, numbers: NumberDirectory) -> House:
    """What a dial has to know about the server."""
    return House(
        names=names_of(config),
        numbers=numbers.owned,
        trunk_of=partial(trunk_facts, trunks),
        networks=config.dial.allowed_networks,
        tls=bool(config.sip.tls),
        header_prefix=config.sip.header_prefix,
        draw=secrets.randbelow,
    )


def redirects_of(config: Config) -> RedirectRules:
    """Where a far end may send our calls."""
    return RedirectRules(names=names_of(config), networks=config.dial.allowed_networks, tls=bool(config.sip.tls))


def capture_rules(config: Config) -> CaptureRules:
    """What is captured of calls."""
    wanted = config.captures
    return CaptureRules(
        enabled=wanted.enabled,
        rtp=wanted.rtp,
        secrets=wanted.secrets,
        call_bytes=wanted.call_mb * MEGABYTE,
        total_bytes=wanted.total_mb * MEGABYTE,
        days=wanted.days,
    )

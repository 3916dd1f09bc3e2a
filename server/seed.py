"""From the configuration to the store's records: the domains of the file, with the SIDs they have at every start."""

from __future__ import annotations

import secrets
from functools import partial

from ..actors.dialling import trunk_facts
from ..sip.trunks import Trunks
from ..store.domains import DomainDirectory
from ..store.records import CredentialRecord, DomainRecord
from ..store.sids import Kind, derive
from ..twiml.dial_house import House
from ..twiml.platform_names import OwnDomain, PlatformNames
from ..twiml.redirection import RedirectRules
from .config import Config, CredentialSettings, DomainSettings


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


def house_of(config: Config, trunks: Trunks) -> House:
    """What a dial has to know about the server."""
    return House(
        names=names_of(config),
        trunk_of=partial(trunk_facts, trunks),
        networks=config.dial.allowed_networks,
        header_prefix=config.sip.header_prefix,
        draw=secrets.randbelow,
    )


def redirects_of(config: Config) -> RedirectRules:
    """Where a far end may send our calls."""
    return RedirectRules(names=names_of(config), networks=config.dial.allowed_networks)

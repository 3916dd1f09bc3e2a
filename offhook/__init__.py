"""offhook: a self-hosted Programmable Voice platform over SIP that speaks Twilio's dialect.

    async with offhook.open_server(config) as server:
        async with server.events() as events:
            async for event in events: ...

This is the whole public face: how to configure and run a server, what it tells, and how it fails. The test kit is in
`offhook.testing`.
"""

from .actors.bus import Gap
from .actors.messages.events import (
    ActorCrashed,
    AlertRaised,
    BusEvent,
    CallAnswered,
    CallEnded,
    CallRefused,
    CallRinging,
    CallStarted,
    DigitsHeard,
    Event,
    GatewayRecovered,
    GatewayUnavailable,
    QualityMeasured,
    RecordingReady,
    Registered,
    RegistrationRefused,
    TrunkRegistered,
    TrunkUnavailable,
    TrunkUnregistered,
    Unregistered,
    VerbEnded,
    VerbStarted,
    WebhookFailed,
    WebhookRequested,
)
from .actors.registry import CallView
from .server.config import (
    AccountSettings,
    Config,
    CredentialSettings,
    DialSettings,
    DomainSettings,
    HttpSettings,
    MediaSettings,
    ServerSettings,
    SipSettings,
    WebhooksSettings,
)
from .server.data_dir import DataDirInUse
from .server.load import load as load_config
from .server.problems import ConfigError, Problem
from .server.server import Parts, Server, open_server
from .server.trunk_config import InboundSettings, NumberSettings, TrunkSettings
from .server.version import VERSION
from .store.errors import StoreError
from .store.memory import MemoryRepository
from .transport.errors import AddressInUse, AddressUnavailable, TransportError

__version__ = VERSION

__all__ = [
    "AccountSettings",
    "ActorCrashed",
    "AddressInUse",
    "AddressUnavailable",
    "AlertRaised",
    "BusEvent",
    "CallAnswered",
    "CallEnded",
    "CallRefused",
    "CallRinging",
    "CallStarted",
    "CallView",
    "Config",
    "ConfigError",
    "CredentialSettings",
    "DataDirInUse",
    "DialSettings",
    "DigitsHeard",
    "DomainSettings",
    "Event",
    "Gap",
    "GatewayRecovered",
    "GatewayUnavailable",
    "HttpSettings",
    "InboundSettings",
    "MediaSettings",
    "MemoryRepository",
    "NumberSettings",
    "Parts",
    "Problem",
    "QualityMeasured",
    "RecordingReady",
    "Registered",
    "RegistrationRefused",
    "Server",
    "ServerSettings",
    "SipSettings",
    "StoreError",
    "TransportError",
    "TrunkRegistered",
    "TrunkSettings",
    "TrunkUnavailable",
    "TrunkUnregistered",
    "Unregistered",
    "VerbEnded",
    "VerbStarted",
    "WebhookFailed",
    "WebhookRequested",
    "WebhooksSettings",
    "__version__",
    "load_config",
    "open_server",
]

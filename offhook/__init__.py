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
    QualityMeasured,
    RecordingReady,
    Registered,
    RegistrationRefused,
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
    ConfigError,
    CredentialSettings,
    DialSettings,
    DomainSettings,
    HttpSettings,
    MediaSettings,
    Problem,
    ServerSettings,
    SipSettings,
    WebhooksSettings,
)
from .server.data_dir import DataDirInUse
from .server.load import load as load_config
from .server.server import Parts, Server, open_server
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
    "HttpSettings",
    "MediaSettings",
    "MemoryRepository",
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

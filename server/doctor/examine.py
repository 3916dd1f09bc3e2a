"""The whole examination, in the order in which it is shown."""

from __future__ import annotations

from ...transport.network import Network
from ..config import Config
from .certificates import examine_certificates
from .findings import Finding
from .machine import examine_machine
from .network import examine_names, examine_network
from .safety import examine_safety


async def examine(config: Config, network: Network | None = None) -> list[Finding]:
    """Look at everything, change nothing. With `network`, names are looked up too."""
    found = [
        *examine_machine(config),
        *examine_network(config),
        *examine_certificates(config),
        *examine_safety(config),
    ]
    if network is not None:
        found += await examine_names(config, network)
    return found

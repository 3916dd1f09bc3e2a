"""A dial driven by hand: nouns, contacts, and what the core says."""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from offhook.sip.uri import Uri
from offhook.twiml.caller_id import CallerId
from offhook.twiml.forking import Forking
from offhook.twiml.forking_steps import Contact, Dialled, Finished, ForkingStep
from offhook.twiml.nouns import Client, Number, Sip
from offhook.twiml.targets import PhoneNumber, Planned, RegisteredUser, SipAddress, Target, Way
from offhook.twiml.verbs import Dial

S = TypeVar("S")
ANN = CallerId(text="+15550001", user="+15550001")


def contact(name: str) -> Contact:
    return Contact(uri=Uri.of(name, "192.0.2.1"))


def sip(name: str = "bob", **options: Any) -> Target:
    return target(Sip(uri=f"sip:{name}@192.0.2.1", **options), SipAddress(uri=Uri.of(name, "192.0.2.1")))


def client(name: str = "bob", **options: Any) -> Target:
    way = RegisteredUser(user=name, domain="acme", uri=Uri.of(name, "acme.sip.test"))
    return target(Client(identity=name, **options), way)


def number(text: str = "+15550002", **options: Any) -> Target:
    return target(Number(number=text, **options), PhoneNumber(number=text))


def target(noun: Sip | Client | Number, way: Way) -> Target:
    to = way.number if isinstance(way, PhoneNumber) else str(way.uri)
    return Target(noun=noun, to=to, caller=ANN, ways=(way,))


def only(steps: list[ForkingStep], kind: type[S]) -> list[S]:
    return [step for step in steps if isinstance(step, kind)]


def dial(*targets: Planned, caller_answered: bool = True, core: Any = None, **attributes: Any) -> Forking:
    """A dial that has begun at 0, with none of its children located."""
    verb = Dial(nouns=tuple(one.noun for one in targets if isinstance(one, Target)), **attributes)
    forking = Forking(verb, targets, caller_answered=caller_answered, **(core or {}))
    forking.begin(0.0)
    return forking


def calling(*targets: Planned, caller_answered: bool = True, core: Any = None, **attributes: Any) -> Forking:
    """The same with one contact found for each child at once: leg 1 is child 0's, and so on."""
    forking = dial(*targets, caller_answered=caller_answered, core=core, **attributes)
    for child in range(len(targets)):
        forking.located(child, [[contact(f"phone{child}")]], 0.0)
    return forking


def bridged(*targets: Planned, at: float = 10.0, **attributes: Any) -> Forking:
    """The same with leg 1 bridged at `at`."""
    forking = calling(*(targets or (sip(),)), **attributes)
    forking.progressed(1, at / 2)
    forking.answered(1, at)
    return forking


def end(steps: list[ForkingStep]) -> Dialled:
    """The result; there is exactly one, at the end."""
    (finished,) = only(steps, Finished)
    assert steps[-1] is finished
    return finished.result


def kinds(steps: list[ForkingStep]) -> list[str]:
    """The names of the steps, which say most of it."""
    return [type(step).__name__ for step in steps]


def said(steps: list[ForkingStep], kind: type[Any]) -> list[tuple[Any, ...]]:
    """The steps of one kind as tuples of their fields."""
    return [attrs.astuple(step, recurse=False) for step in only(steps, kind)]

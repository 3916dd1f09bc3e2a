"""Puts a child call together: its identity is made by the dial, its voice to the outside here."""

from __future__ import annotations

from .child_call import ChildCall, child_mailbox
from .child_news import ChildNews
from .mailbox import Ref
from .messages.call import CallMessage, MakeChild
from .notifications import Notifications
from .services import Services


def child_of_call(services: Services, parent: Ref[CallMessage], order: MakeChild) -> ChildCall:
    """A child that has not been started; it belongs into the nest of the call that dials."""
    identity = order.identity
    notifications = Notifications(services, identity)
    news = ChildNews(services, identity, notifications, order.callbacks, services.now_utc())
    return ChildCall(child_mailbox(identity.sid), services, order.number, news, parent)

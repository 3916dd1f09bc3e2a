"""SIP as values and state machines (RFC 3261): no sockets, no clock, no event loop."""

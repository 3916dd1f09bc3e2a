"""Trio I/O: SIP and RTP sockets, DNS, webhooks, speech helper processes."""

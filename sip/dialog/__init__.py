"""SIP dialogs (RFC 3261 sections 12 to 15): one `Leg` holds a dialog and every transaction that belongs to it."""

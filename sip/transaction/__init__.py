"""The four transaction machines of RFC 3261 section 17 as tables, and the layer of one Call-ID."""

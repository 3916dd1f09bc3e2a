"""SIP transactions (RFC 3261 section 17, RFC 6026): four tables, their keys, and the transactions of one Call-ID."""

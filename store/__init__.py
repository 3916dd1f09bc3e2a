"""Identifiers, records and files that outlive a call."""

"""Procedures that carry out TwiML verbs by driving the cores of twiml/."""

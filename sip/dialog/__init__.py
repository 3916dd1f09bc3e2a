"""Dialogs: one leg of a call, with its offer/answer, as a state machine without I/O."""

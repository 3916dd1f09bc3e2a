"""The actors: one task, one mailbox, one owner of state each."""

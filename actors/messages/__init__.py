"""What actors say to each other: one frozen class a message, one module a channel."""

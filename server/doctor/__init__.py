"""`offhook doctor`: looks at configuration and machine, and says what will go wrong and what to do about it."""

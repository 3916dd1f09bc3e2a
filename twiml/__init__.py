"""TwiML: documents to verbs, the interpreter, and the rules of Gather and Record as cores."""

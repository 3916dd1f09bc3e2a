"""Configuration, assembly and the command line."""

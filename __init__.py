"""Marks the repository's root for tools that resolve imports by climbing folders; never shipped."""

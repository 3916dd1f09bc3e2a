"""The way to the newest tables from every older ones: Alembic's environment, and one file a revision."""

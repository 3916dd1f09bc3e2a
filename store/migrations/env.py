"""Run by Alembic, on the connection that it is given (`upgrade.py`): all pending revisions in one transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    # SQLite can take back changes of tables too, as long as the transaction was begun by name, which it was.
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

"""Calls, recordings and bindings.

Types are written out: what `schema.py` calls them may change later, what this revision made may not.
"""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("account_sid", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("from_address", sa.Text(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("answered_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("duration_s", sa.Integer(), nullable=False),
        sa.Column("parent_call_sid", sa.Text()),
        sa.Column("domain_sid", sa.Text()),
        sa.Column("sip_call_id", sa.Text()),
        sa.Column("sip_response_code", sa.SmallInteger()),
        sa.PrimaryKeyConstraint("sid", name="pk_calls"),
    )
    op.create_index("ix_calls_account_sid_started_at", "calls", ["account_sid", "started_at"])
    unfinished = sa.text("ended_at IS NULL")
    op.create_index("ix_calls_unfinished", "calls", ["sid"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.create_table(
        "recordings",
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("account_sid", sa.Text(), nullable=False),
        sa.Column("call_sid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("channels", sa.SmallInteger(), nullable=False),
        sa.Column("duration_s", sa.Integer()),
        sa.PrimaryKeyConstraint("sid", name="pk_recordings"),
    )
    op.create_index("ix_recordings_call_sid", "recordings", ["call_sid"])
    op.create_index("ix_recordings_account_sid_created_at", "recordings", ["account_sid", "created_at"])
    op.create_table(
        "bindings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("aor", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("q", sa.Float(), nullable=False),
        sa.Column("refreshed_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("cseq", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text()),
        sa.Column("reg_id", sa.Integer()),
        sa.Column("agent", sa.Text()),
        sa.Column("transport", sa.Text()),
        sa.Column("local_host", sa.Text()),
        sa.Column("local_port", sa.Integer()),
        sa.Column("remote_host", sa.Text()),
        sa.Column("remote_port", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_bindings"),
    )


def downgrade() -> None:
    op.drop_table("bindings")
    op.drop_table("recordings")
    op.drop_table("calls")

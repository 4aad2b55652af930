"""Run by Alembic for every command; `bridge.store.schema.migrate` hands over an open transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()

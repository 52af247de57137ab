"""The control database: keys, how much each is used, functions, and the audit log. SQLite, or PostgreSQL."""

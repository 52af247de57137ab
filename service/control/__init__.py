"""The control database: keys, how much each is used, and the audit log. SQLite, or PostgreSQL."""

"""Health, readiness and what this server can do."""

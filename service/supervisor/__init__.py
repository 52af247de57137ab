"""The main process: children, restarts, signals. No HTTP, no foreign data."""

"""What each subcommand of ``lars`` does."""

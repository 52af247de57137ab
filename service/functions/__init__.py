"""Functions that callers bring: their files, their versions, and how they are called."""

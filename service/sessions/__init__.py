"""Private sessions: where their data lies, and one worker at a time for each."""

"""The planner: the only process that has keys of language models, and the only one that connects out."""

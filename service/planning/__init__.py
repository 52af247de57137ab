"""The front's side of the planner: who asks, what it may cost, the line to the process that asks models."""

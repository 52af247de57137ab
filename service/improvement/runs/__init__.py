"""Runs of improvement as they are kept: what was asked for, how far each is, the evidence of every step."""

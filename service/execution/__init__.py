"""POST /execute: one program, one outcome."""

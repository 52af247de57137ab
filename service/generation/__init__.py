"""POST /generate-and-execute: a question, a program that a language model writes for it, one outcome."""

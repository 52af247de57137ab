"""One module for each provider's wire form; none imports its SDK before it is asked to make a client."""

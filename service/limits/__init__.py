"""How much a key may do: requests, runs at once, CPU and tokens by the day."""

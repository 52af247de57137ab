"""What runs inside the jailed children, and the types both sides share. Never imports ``service``."""

"""What the keys and the sealed fields promise."""

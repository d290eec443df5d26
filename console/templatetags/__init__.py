"""Give the console's templates what their frame shows."""

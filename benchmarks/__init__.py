"""What the guard costs, measured against the same graph without it."""

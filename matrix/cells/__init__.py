"""The questions of the matrix: axes, which of their combinations mean something, and how few cover them."""

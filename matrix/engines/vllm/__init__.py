"""vLLM: how it differs from other engines, and replay of its own code."""

"""Kernel Matrix: which FlashInfer releases are safe for an engine's kernels, why not, and since when."""

__version__ = "0.1.0"

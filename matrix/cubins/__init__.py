"""The GPU kernels that a release ships, by name, and its own selection code, asked without a GPU."""

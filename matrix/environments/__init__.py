"""Where a release is installed: recipes as data, building, and the fingerprint of what was built."""

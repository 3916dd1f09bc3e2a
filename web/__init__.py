"""HTTP surfaces: health, metrics, recordings."""

"""Session descriptions (RFC 8866) and their negotiation (RFC 3264)."""

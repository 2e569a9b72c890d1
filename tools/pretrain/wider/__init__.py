"""The wider text: a stream beside the general one, for a base under trial (LOG.md, 2026-11-26)."""

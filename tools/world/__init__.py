"""The small world: the text that nano reads, the domains it is taught, what it is asked."""

"""Where facts are kept: one protocol, two backends."""

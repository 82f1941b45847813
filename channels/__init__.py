"""How messages travel, in and out."""

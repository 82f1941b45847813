"""Servers the tests talk to, started and stopped by them."""

"""The worker killed at any moment: nothing lost, nothing doubled."""

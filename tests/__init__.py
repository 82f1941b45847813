"""Every promise has a test here that tries to break it."""

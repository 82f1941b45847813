"""What the desk costs, measured: see README.md beside this file. Run by `make bench`."""

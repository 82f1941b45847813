"""The whole desk on one machine, with stand-ins for the world around it."""

"""When things happen: start, wire, loop, stop."""

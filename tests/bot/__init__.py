"""Tests of the code that starts, wires and stops."""

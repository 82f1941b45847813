"""What is true: rules and stored facts."""

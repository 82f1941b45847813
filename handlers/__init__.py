"""What happens when something arrives, falls due or is pressed."""

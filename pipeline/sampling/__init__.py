"""What is made of a checkpoint."""

"""What runs came to, read once: ours, and other libraries'."""

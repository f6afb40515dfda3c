"""Where runs run: in this process, in processes of their own; and whole experiments."""

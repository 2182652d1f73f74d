"""What a fake is filled with: the forms of a seed, and how tables become one."""

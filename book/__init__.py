"""What the site needs besides its text: the build, the checks of its numbers, its style."""

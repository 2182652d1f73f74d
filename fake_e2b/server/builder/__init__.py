"""Does what template builds ask for: steps in a guest of their own, kept as layers."""

"""Partners: the other systems, and how they are called."""

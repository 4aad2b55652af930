"""Where documents come from: files, a catalog of local copies, the network when asked; and what was read of them."""

"""What `wirken doctor` looks at: one file per family, one function and one line of the registry per check."""

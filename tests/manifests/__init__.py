"""What a stack puts into a cluster, as YAML, and what linters and a network analyzer say about it."""

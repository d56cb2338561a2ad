"""Policies for images, workloads, what is open to the world, repositories and tags."""

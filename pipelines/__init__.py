"""The steps of a pipeline: what a build system runs, one command each, the same on a workstation."""

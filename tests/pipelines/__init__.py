"""Tests of the pipeline's steps that need the platform, and recordings of real previews."""

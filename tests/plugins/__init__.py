"""Tests of the stand-in plugins, through the engine that uses them."""

"""The same wire contract in the simplest way: one request at a time, on a framework's development server."""

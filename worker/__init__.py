"""The system's worker: the library's consumer with the sample tasks."""

"""Plumbing shared by all packages: files, threads, timing, native libraries, reporting."""

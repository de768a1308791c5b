"""User actions, one module each; the command line, the window and the Python API call these.

Every workflow is a function of its source or take, one frozen options dataclass and a `Reporter`,
and returns a typed result. Errors carry data; each front end words its own advice.
"""

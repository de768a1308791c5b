"""PyMAF Live: a 3D body that follows a person in a video, live.

The runtime library. Importing it loads neither torch, Qt, vispy nor mediapipe.
"""

__version__ = "0.2.0"

"""Making pictures of people whose truth is known: poses, clothes, places, and the drawing."""

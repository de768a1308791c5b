"""People in textured clothes, with hair and shoes, in furnished rooms, with exact truth."""

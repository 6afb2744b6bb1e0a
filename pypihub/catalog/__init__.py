"""The heart: who may see what. Maps a project to its repository and answers from GitHub's listing of it."""

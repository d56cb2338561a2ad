"""How fast the program deploys and the application mines, each beside another way to do the same, in the same run."""

"""What readers of files are tried on: files that were right, changed in all the ways that occur."""

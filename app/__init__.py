"""The people's side: pages, command line, worker."""

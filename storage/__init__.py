"""What must outlive a restart: rows, files, and the queue. Imports core.nouns and core.errors, nothing else of ours."""

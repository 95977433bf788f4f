"""What the field knows: nouns, judging, agreement, and the shelves. No database, no Gradio, no environment."""

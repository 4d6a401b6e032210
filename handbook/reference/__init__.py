"""Pages that are made of the code. Each module gives one: `page()`, its Markdown."""

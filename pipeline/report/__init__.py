"""What a sweep looks like to people and programs: the status document, tables, the page."""

"""What browsers get: modules, style and texts (static/), and the page that is one file."""

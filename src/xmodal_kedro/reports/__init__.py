"""HTML reports: templates, and the code that fills them."""

"""Who reads the rows and counts their pairs: this process, or workers of a cluster."""

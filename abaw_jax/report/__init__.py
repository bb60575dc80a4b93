"""What a person gets to see of a run: pictures, and the table that ends it."""

"""Content-addressed artifacts and the records beside them."""

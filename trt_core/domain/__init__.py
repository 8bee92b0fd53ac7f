"""Values of the field: frozen, checked at birth, without input or output."""
